"""The keys of somebody who has chosen a port at the desk."""

from __future__ import annotations

import pytest

from gatewayd.line.model import Signal
from gatewayd.port import farewell
from tests.desk.hall import hall
from tests.net.stand import run
from tests.until import turning


@pytest.fixture(autouse=True)
def _no_long_goodbyes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(farewell, "QUIET_S", 0.02)
    monkeypatch.setattr(farewell, "TICK_S", 0.02)


def test_help_line_and_who() -> None:
    async def scenario() -> None:
        async with hall() as room:
            person = await room.at("psu1")
            await person.types("\x05c?")
            await person.sees("h  what came last")
            await person.types("\x05cl")
            await person.sees("[psu1: 115200 8N1, on: ")
            await person.types("\x05cw")
            await person.sees("psu1         has it   127.0.0.1:")
            await person.types("on")
            await room.device_gets("psu1", b"on")

    run(scenario())


def test_a_break_and_the_modem_lines() -> None:
    async def scenario() -> None:
        async with hall() as room:
            person = await room.at("psu1")
            line = room.lines["psu1"]
            await person.types("\x05cb")
            await person.sees("[psu1: break sent]")
            await turning(lambda: [on for _, on in line.breaks] == [True, False])
            before = line.signals() & Signal.DTR
            await person.types("\x05cd")
            await person.sees("[psu1: DTR ")
            await turning(lambda: line.signals() & Signal.DTR != before)
            await person.types("\x05cr")
            await person.sees("[psu1: RTS ")
            assert not line.sent

    run(scenario())


def test_the_escape_itself_goes_to_the_device() -> None:
    async def scenario() -> None:
        async with hall() as room:
            person = await room.at("psu1")
            await person.types("\x05")
            await room.device_gets("psu1", b"\x05")
            await person.types("a\x05b\x05c\x05d")
            await room.device_gets("psu1", b"\x05a\x05b\x05d")

    run(scenario())


def test_back_to_the_menu_and_on_to_another_port_without_losing_a_key() -> None:
    async def scenario() -> None:
        async with hall() as room:
            person = await room.at("psu1")
            await person.types("one\x05cmpsu2\rtwo\xff\xff\r\0\x05c.dut-a\rthree")
            await person.sees("port> ")
            await person.sees("[psu2: it is yours")
            await person.sees("[dut-a: it is yours")
            await room.device_gets("psu1", b"one")
            await room.device_gets("psu2", b"two\xff\r")
            await room.device_gets("dut-a", b"three")
            assert room.owner("psu1") is None
            await person.types("\x05cx")
            await person.is_closed()
            await turning(lambda: room.owner("dut-a") is None)

    run(scenario())


def test_who_came_straight_leaves_altogether() -> None:
    async def scenario() -> None:
        async with hall() as room:
            person = await room.person("psu1")
            await person.sees("it is yours")
            await person.types("\x05c.")
            await person.is_closed()
            person = await room.person("psu1")
            await person.sees("it is yours")
            await person.types("\x05cm")
            await person.sees("port> ")

    run(scenario())


def test_watch_only_and_take_over_again() -> None:
    async def scenario() -> None:
        async with hall() as room:
            person = await room.at("psu1")
            await person.types("\x05cs")
            await person.sees("[psu1: you watch]")
            assert room.owner("psu1") is None
            await person.types("\x05cb")
            await person.sees("[psu1: you watch]")
            other = await room.at("psu1")
            await person.types("\x05cf")
            await person.sees("[psu1: it is yours now]")
            await other.sees("you watch until it goes]")
            await person.types("mine")
            await room.device_gets("psu1", b"mine")
            await person.types("\x05cf")
            await person.sees("it is yours already]")

    run(scenario())


def test_what_the_device_said_last() -> None:
    async def scenario() -> None:
        async with hall(replay=65536) as room:
            for number in range(100):
                room.device_sends("psu1", b"%03d" % number + b"." * 1021)
            person = await room.at_menu()
            await person.types("1\r")
            await person.sees("[psu1: it is yours; the last 65536 bytes follow; ^Ec? for help]\r\n")
            assert len(await person.sees("099" + "." * 1021)) == 65536 - 1024
            await person.types("\x05ch")
            await person.sees("[psu1: the last 65536 bytes follow]")
            await person.sees("[psu1: that was it]")
            person = await room.at("psu2")
            await person.types("\x05ch")
            await person.sees("[psu2: nothing is kept")

    run(scenario())


def test_the_line_feed_behind_the_enter_that_chose_the_port_is_nothing() -> None:
    async def scenario() -> None:
        async with hall() as room:
            person = await room.at("psu1")
            owner = room.gateway.served["psu1"].port.owner
            assert owner is not None
            before = owner.bytes_in
            await person.types("\n")
            await turning(lambda: owner.bytes_in > before)
            await person.types("on")
            await room.device_gets("psu1", b"on")

    run(scenario())


def test_another_escape_and_none() -> None:
    async def scenario() -> None:
        async with hall(escape=b"\x1d") as room:
            person = await room.at("psu1")
            await person.types("\x05ca\x1dx")
            await person.is_closed()
            await room.device_gets("psu1", b"\x05ca")
        async with hall(escape=b"") as room:
            person = await room.at("psu1")
            await person.types("\x05c?\x1d")
            await room.device_gets("psu1", b"\x05c?\x1d")

    run(scenario())


def test_a_session_that_is_kicked_is_over() -> None:
    async def scenario() -> None:
        async with hall() as room:
            person = await room.at("psu1")
            room.gateway.served["psu1"].port.clients.dismiss("ended by the operator")
            await person.sees("psu1: ended by the operator")
            await person.is_closed()

    run(scenario())
