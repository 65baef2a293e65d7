"""The menu of ports: what is shown, and how a port is chosen."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest

from gatewayd.port import farewell
from gatewayd.port.lease import Lease
from tests.desk.hall import hall
from tests.net.stand import run
from tests.port.wire import do, will
from tests.until import turning


@pytest.fixture(autouse=True)
def _no_long_goodbyes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(farewell, "QUIET_S", 0.02)
    monkeypatch.setattr(farewell, "TICK_S", 0.02)


OFFERS = will(1) + will(3) + do(3) + do(31) + do(39)


def test_it_speaks_first_and_lists_the_ports() -> None:
    async def scenario() -> None:
        async with hall() as room:
            person = await room.comes()
            assert await person.gets(len(OFFERS)) == OFFERS
            await person.agrees("")
            text = await person.sees("port> ")
            assert [line.split() for line in text.splitlines() if line[:3] == "  1"] == [
                ["1", "psu1", "free", "bench", "supply"]
            ]
            assert "gatewayd" in text
            assert max(len(line) for line in text.splitlines()) <= 79
            assert text.isascii()

    run(scenario())


@pytest.mark.parametrize("choice", ["psu1", "1", "d"])
@pytest.mark.parametrize("enter", ["\r\n", "\r\0", "\r", "\n"])
def test_a_port_is_chosen_by_number_name_or_beginning(choice: str, enter: str) -> None:
    async def scenario() -> None:
        name = "dut-a" if choice == "d" else "psu1"
        async with hall() as room:
            person = await room.at_menu()
            await person.types(f"{choice}{enter}*IDN?\n")
            await person.sees(f"[{name}: it is yours; ^Ec? for help]\r\n")
            await room.device_gets(name, b"*IDN?\n")
            room.device_sends(name, b"answer\r\n")
            await person.sees("answer\r\n")

    run(scenario())


def test_what_is_typed_is_shown_and_may_be_wrong() -> None:
    async def scenario() -> None:
        async with hall() as room:
            person = await room.at_menu()
            await person.types("psx\x7f\r")
            await person.sees("psx\b \b\r\nwhich of psu1, psu2?\r\nport> ")
            await person.types("nine\r")
            await person.sees("there is no port 'nine'\r\nport> ")
            await person.types("\r")
            await person.sees("  3   dut-a")
            await person.types("?\r")
            await person.sees("quit        leave")
            await person.types("who\r")
            await person.sees("nobody is at any port")
            await person.types("quit\r")
            await person.is_closed()

    run(scenario())


def test_a_name_that_is_a_ports_goes_straight_there() -> None:
    async def scenario() -> None:
        async with hall() as room:
            person = await room.person("psu1")
            assert "port>" not in await person.sees("[psu1: it is yours")
            other = await room.person("alice:psu2")
            await other.sees("[psu2: it is yours")
            third = await room.at_menu()
            await third.types("who\r")
            assert re.search(r'127\.0\.0\.1:\d+ "alice" desk', await third.sees("port> "))

    run(scenario())


def test_any_other_name_is_what_somebody_is_called_and_nothing_else() -> None:
    async def scenario() -> None:
        async with hall() as room:
            person = await room.person("-f root\x1b[2J")
            await person.sees("port> ")
            await person.types("1\r")
            await person.sees("it is yours")
            assert room.owner("psu1").peername.endswith('"-f root[2J"')
            other = await room.person("")
            assert "held   127.0.0.1:" in await other.sees('"-f root[2J" since')
            await other.types('name a"b:c\r2\r')
            await other.sees("it is yours")
            assert room.owner("psu2").peername.endswith(' "abc"')
            await other.types("\x05cmpsu2\r")
            await other.sees("port> ")
            await other.sees("it is yours")
            assert room.owner("psu2").peername.count('"abc"') == 1

    run(scenario())


def test_a_client_that_answers_nothing_gets_lines_without_echo() -> None:
    async def scenario() -> None:
        async with hall() as room:
            person = await room.comes()
            await person.sees("port> ")
            await person.types("who\n")
            assert "who" not in await person.sees("port> ")
            await person.types("psu1\n")
            await person.sees("[psu1: it is yours")

    run(scenario())


def test_a_port_that_somebody_has() -> None:
    async def scenario() -> None:
        async with hall() as room:
            owner = await room.at("psu1")
            second = await room.at_menu()
            await second.types("psu1\r")
            await second.sees("psu1: 127.0.0.1:")
            await second.sees("has it. [w]atch, [t]ake over, [b]ack? ")
            await second.types("b\r")
            await second.sees("port> ")
            await second.types("psu1\rw\r")
            await second.sees("[psu1: you watch; ^Ec? for help]")
            room.device_sends("psu1", b"for both\r\n")
            await second.sees("for both")
            await owner.sees("for both")
            await second.types("not sent")
            await second.sees("what you type is not sent]")
            third = await room.at_menu()
            await third.types("psu1\rt\r")
            await third.sees("[psu1: it is yours")
            await owner.sees("you watch until it goes]")
            await third.types("\x05cx")
            await owner.sees("[psu1: it is yours now]")

    run(scenario())


def test_a_lease_is_in_the_list_with_its_holder_its_end_and_its_note() -> None:
    async def scenario() -> None:
        async with hall() as room:
            until = datetime.now().astimezone() + timedelta(days=2)
            lease = Lease("alice", until, "burn-in 7")
            clients = room.gateway.served["psu1"].port.clients
            clients.let(lease, 3600)
            said = f"alice until {until:%Y-%m-%d %H:%M}, burn-in 7"
            one = await room.person("")
            await one.sees(f"psu1    leased   {said}")
            await one.sees("port> ")
            await one.types("psu1\r")
            await one.sees("leased to alice until ")
            await one.sees("port> ")
            await one.types("who\r")
            await one.sees(f"leased to {said}")
            clients.let(None)
            owner = await room.at("psu1")
            clients.let(lease, 3600)
            await one.types("\r")
            await one.sees(f"; leased to {said[:8]}")
            await owner.types("still mine")
            await one.types("who\r")
            await one.sees(f"leased to {said}")

    run(scenario())


def test_a_port_whose_device_is_away() -> None:
    async def scenario() -> None:
        async with hall() as room:
            room.lines["psu1"].unplug()
            person = await room.person("")
            await person.sees("absent")
            await person.sees("port> ")
            await person.types("1\r")
            await person.sees("device is absent, unplugged]")
            await person.sees("port> ")
            await person.types("2\r")
            await person.sees("[psu2: it is yours")

    run(scenario())


@pytest.mark.parametrize("agrees", [True, False])
def test_a_program_says_which_port_and_gets_one_line(agrees: bool) -> None:
    async def scenario() -> None:
        async with hall(replay=1024) as room:
            room.device_sends("psu1", b"before")
            client = await room.comes()
            if agrees:
                await client.agrees("")
                await client.sees("port> ")
                await client.types("PORT psu1\r\n*IDN?\n")
            else:
                await client.types("PORT psu1\r\n*IDN?\n")
                client.half_closes()
            assert await client.sees("+OK psu1 115200 8N1\r\n") in ("", "PORT psu1\r\n")
            await room.device_gets("psu1", b"*IDN?\n")
            room.device_sends("psu1", b"\x05c?answer\n")
            assert await client.sees("answer\n") == "\x05c?"

            watcher = await room.comes()
            await watcher.types("WATCH psu2\n")
            await watcher.sees("+OK psu2 115200 8N1, watching\r\n")
            room.device_sends("psu2", b"seen")
            assert await watcher.sees("seen") == ""

    run(scenario())


def test_a_program_is_told_in_one_line_why_not() -> None:
    async def scenario() -> None:
        async with hall() as room:
            await room.at("psu1")
            client = await room.comes()
            await client.types("PORT psu1\r\n")
            assert await client.sees("-ERR psu1 in use by 127.0.0.1:") == ""
            await client.is_closed()
            client = await room.comes()
            await client.types("PORT ps\r\n")
            assert await client.sees("-ERR there is no port 'ps'\r\n") == ""
            await client.is_closed()

    run(scenario())


def test_a_name_without_an_end_is_no_name() -> None:
    async def scenario() -> None:
        async with hall() as room:
            client = await room.comes()
            await client.sends(b"x" * (1 << 20))
            await client.is_closed()

    run(scenario())


def test_nobody_stays_behind_who_leaves_in_the_menu() -> None:
    async def scenario() -> None:
        async with hall() as room:
            for end in ("half_closes", "closes", "resets"):
                client = await room.comes()
                await client.types("x")
                getattr(client, end)()
            await turning(lambda: not room.front.visitors)

    run(scenario())
