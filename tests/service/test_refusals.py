"""Whatever the system refuses, at whatever moment, costs nothing for longer than it is refused."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from queue import SimpleQueue
from typing import Final, NamedTuple

import pytest

from tests.service.refusals import ERRORS, Kind, build
from tests.service.scarce import Scarce

ALL: Final = bool(os.environ.get("GATEWAYD_ALL_REFUSALS"))
"""Try each call; otherwise some, evenly."""
SAMPLES: Final = 4
FIRST: Final = 8
WORKERS: Final = 6
SCENARIOS: Final = {
    "session": Scarce.session,
    "replug": Scarce.replug,
    "reload": Scarce.reload,
    "ask": Scarce.ask,
}


class Case(NamedTuple):
    """One refusal in one scenario."""

    scenario: str
    kind: Kind
    number: int
    error: int
    lasting: bool

    def __str__(self) -> str:
        manner = "from the" if self.lasting else "the"
        error = os.strerror(self.error)
        return f"{self.scenario}: {manner} {self.number}. {self.kind.name} refused ({error})"


def tried(scenario: str, kind: Kind, calls: int) -> list[Case]:
    """The cases for a kind that a scenario asks for so many times."""
    errors = ERRORS[kind]
    if ALL:
        numbers = range(1, calls + 1)
        each = product(numbers, (False, True), errors)
        return [Case(scenario, kind, number, error, lasting) for number, lasting, error in each]
    some = sorted({1 + at * (calls - 1) // (SAMPLES - 1) for at in range(SAMPLES)} if calls else ())
    if scenario == "start":
        # The first ones are for what the rest stands on.
        some = sorted({*some, *range(1, min(FIRST, calls) + 1)})
    manners = product(some, (False, True))
    return [
        Case(scenario, kind, number, errors[at % len(errors)], lasting)
        for at, (number, lasting) in enumerate(manners)
    ]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler (cc) on this machine")
    return build(tmp_path_factory.mktemp("library"))


@pytest.fixture(scope="module")
def stands(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Scarce]]:
    directory = tmp_path_factory.mktemp("scarce")
    with ExitStack() as stack:
        found = []
        for number in range(WORKERS):
            stand = Scarce(library, directory / str(number))
            stack.callback(stand.close)
            stack.enter_context(stand.daemon)
            stand.start()
            found.append(stand)
        yield found


@pytest.fixture(scope="module")
def reached(stands: list[Scarce]) -> dict[tuple[str, Kind], int]:
    """How often each scenario asks for what."""
    stand = stands[0]
    found = {}
    for name, scenario in SCENARIOS.items():
        before = {kind: stand.refusals.calls(kind) for kind in Kind}
        scenario(stand)
        for kind in Kind:
            found[name, kind] = stand.refusals.calls(kind) - before[kind]
        stand.serves()
    return found


def outcome(stand: Scarce, case: Case) -> str:
    """What is wrong after a case; nothing if all is well."""
    stand.news()
    stand.refusals.refuse(case.kind, case.number, case.error, lasting=case.lasting)
    try:
        SCENARIOS[case.scenario](stand)
        stand.refusals.lift()
        stand.serves()
        stand.rests()
    except Exception as error:  # noqa: BLE001 - one of many
        return f"{case}: {error!r}\n{stand.news()}"
    finally:
        stand.refusals.lift()
    news = stand.news()
    return f"{case}:\n{news}" if "Traceback" in news else ""


@pytest.fixture(scope="module")
def asked_at_start(library: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Kind, int]:
    """How often a start asks for what."""
    stand = Scarce(library, tmp_path_factory.mktemp("start") / "counted")
    try:
        with stand.daemon:
            stand.start()
            return {kind: stand.refusals.calls(kind) for kind in Kind}
    finally:
        stand.close()


def begun(library: Path, directory: Path, case: Case) -> str:
    """What is wrong with a start: it is to go well as soon as it can, or to end and say why."""
    stand = Scarce(library, directory)
    stand.refusals.refuse(case.kind, case.number, case.error, lasting=case.lasting)
    ready = False
    try:
        with stand.daemon:
            ready = True
            stand.refusals.lift()
            stand.serves()
    except Exception as error:  # noqa: BLE001 - one of many
        said = stand.daemon.text
        if (
            not ready
            and stand.daemon.exit_status in (1, os.EX_CONFIG)
            and said
            and "Traceback" not in said
        ):
            return ""
        return f"{case}: {error!r}"
    finally:
        stand.close()
    return ""


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name.lower())
def test_what_is_refused_is_had_later(
    stands: list[Scarce], reached: dict[tuple[str, Kind], int], kind: Kind
) -> None:
    free: SimpleQueue[Scarce] = SimpleQueue()
    for stand in stands:
        free.put(stand)

    def judged(case: Case) -> str:
        stand = free.get()
        try:
            return outcome(stand, case)
        finally:
            free.put(stand)

    cases = [case for name in SCENARIOS for case in tried(name, kind, reached[name, kind])]
    nothing_wrong(judged, cases)


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name.lower())
def test_a_start_goes_on_or_says_why_not(
    library: Path, asked_at_start: dict[Kind, int], kind: Kind, tmp_path: Path
) -> None:
    cases = tried("start", kind, asked_at_start[kind])
    nothing_wrong(lambda case: begun(library, tmp_path / str(cases.index(case)), case), cases)


def nothing_wrong(judged: Callable[[Case], str], cases: list[Case]) -> None:
    with ThreadPoolExecutor(WORKERS) as pool:
        wrong = [text for text in pool.map(judged, cases) if text]
    assert not wrong, f"{len(wrong)} of {len(cases)}:\n" + "\n".join(wrong)[:20000]
