"""Each key of the file, changed in each phase of a port, holds from then on; and so it does after a
restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewayd.port.phase import Phase
from tests.service import keys
from tests.service.caller import Caller
from tests.service.house import House
from tests.service.keys import Row, nothing, talk

PHASES = tuple(Phase)
ROWS = [*((False, row) for row in keys.PORT), *((True, row) for row in keys.GATEWAY)]
each_row = pytest.mark.parametrize(("top", "row"), ROWS, ids=str)
each_row_but_held = pytest.mark.parametrize(
    ("top", "row"), [one for one in ROWS if not one[1].held], ids=str
)


@pytest.fixture
def house(top: bool, row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    mine = {row.key: row.before}
    row.prepare(tmp_path)
    house = House(
        tmp_path,
        monkeypatch,
        top={**row.beside, **(mine if top else {})},
        keys={**row.also, **({} if top else mine)},
    )
    yield house
    house.close()


async def session(house: House, row: Row) -> Caller:
    """A session that has begun."""
    await house.come(Phase.READY)
    caller = Caller(house.connect("rfc2217"))
    await talk(house, caller)
    await row.first(house, caller)
    house.device.sent.clear()
    return caller


@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.value)
@each_row
def test_a_change_under_a_session(top: bool, row: Row, phase: Phase, house: House) -> None:
    async def work() -> None:
        caller = await session(house, row)
        if phase is not Phase.READY:
            await house.come(Phase.ABSENT)
            await house.come(phase)
        house.change(row.key, row.after, top=top)
        await house.reload()
        if phase in row.ends_session:
            await caller.read_to_end()
            caller.client.closes()
            await house.come(Phase.READY)
            caller = Caller(house.connect("rfc2217"))
        await house.come(Phase.READY)
        await row.judge(house, caller)
        caller.client.closes()

    house.run(work)


@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.value)
@each_row_but_held
def test_a_change_with_nobody_there(top: bool, row: Row, phase: Phase, house: House) -> None:
    async def work() -> None:
        if row.first is not nothing:
            (await session(house, row)).client.closes()
            await house.until(lambda: house.port.owner is None)
        await house.come(Phase.ABSENT)
        await house.come(phase)
        house.change(row.key, row.after, top=top)
        await house.reload()
        # Who comes now waits, if the device is being opened.
        waits = phase is Phase.OPENING and row.key != "device"
        caller = Caller(house.connect("rfc2217")) if waits else None
        await house.come(Phase.READY)
        caller = caller or Caller(house.connect("rfc2217"))
        await row.judge(house, caller)
        caller.client.closes()

    house.run(work)


@each_row
def test_a_session_goes_on_with_it_after_a_restart(top: bool, row: Row, house: House) -> None:
    callers = []

    async def before() -> None:
        callers.append(await session(house, row))

    async def after() -> None:
        await house.come(Phase.READY)
        await row.judge(house, callers[0])

    house.change(row.key, row.after, top=top)
    house.run(before)
    house.stop()
    house.run(after)


@each_row_but_held
def test_it_is_in_force_for_who_comes_after_a_restart(top: bool, row: Row, house: House) -> None:
    async def before() -> None:
        (await session(house, row)).client.closes()
        await house.until(lambda: house.port.owner is None and house.port.outbox.empty)

    async def after() -> None:
        await house.come(Phase.READY)
        await row.judge(house, Caller(house.connect("rfc2217")))

    house.change(row.key, row.after, top=top)
    house.run(before)
    house.stop()
    house.run(after)
