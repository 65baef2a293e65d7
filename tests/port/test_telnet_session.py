"""The Telnet side of the RFC 2217 face: what a client sends, and what the line and it get."""

from __future__ import annotations

import logging

import pytest

from gatewayd.log import Happening
from gatewayd.port.farewell import QUIET_S
from gatewayd.port.gate import Hold
from gatewayd.port.peer import HIGH_BYTES
from gatewayd.port.telnet_session import BREAK_S, LOOK_AHEAD_BYTES, REPORTED_VIOLATIONS
from gatewayd.telnet.constants import Command, Option
from tests.port.desk import Client, Desk
from tests.port.wire import (
    DM,
    IAC,
    OPENING,
    command,
    do,
    dont,
    sub,
    will,
    wont,
)
from tests.same import same


def play(desk: Desk, client: Client, *steps: tuple[bytes, bytes, bytes]) -> None:
    """Each step is what the client sends, what it gets for that, and what reaches the line."""
    for sends, gets, reaches in steps:
        before = len(desk.line.sent)
        client.sends(sends)
        desk.passes(1)
        assert (client.gets(), bytes(desk.line.sent[before:])) == (gets, reaches)


# ---- the opening and the options


def test_the_opening_is_offers_only() -> None:
    client = Desk().client_that_says_nothing()
    assert client.gets() == OPENING


def test_nothing_follows_the_opening_whatever_the_client_leaves_unanswered() -> None:
    desk = Desk()
    client = desk.client_that_says_nothing()
    client.gets()
    desk.passes(3600)
    assert client.gets() == b""
    play(desk, client, (b"data", b"", b"data"))


def test_data_flows_with_a_client_that_refuses_all() -> None:
    desk = Desk()
    client = desk.telnet()
    refusals = b"".join(dont(o) + wont(o) for o in (Option.BINARY, Option.SUPPRESS_GO_AHEAD))
    play(desk, client, (refusals + wont(Option.COM_PORT), b"", b""), (b"data", b"", b"data"))


def test_agreeing_to_an_offer_is_not_answered() -> None:
    desk = Desk()
    agreement = do(Option.BINARY) + will(Option.BINARY) + do(Option.SUPPRESS_GO_AHEAD)
    play(desk, desk.telnet(), (agreement * 2, b"", b""))


@pytest.mark.parametrize("option", [24, 31, 36, 37, 70, 255])
def test_what_the_client_offers_and_nobody_knows_is_refused_each_time(option: int) -> None:
    desk = Desk()
    client = desk.telnet()
    play(desk, client, (will(option), dont(option), b""), (do(option), wont(option), b""))


def test_com_port_is_the_clients_to_have() -> None:
    desk = Desk()
    play(desk, desk.telnet(), (do(Option.COM_PORT), wont(Option.COM_PORT), b""))


def test_status_tells_each_option_that_is_on() -> None:
    desk = Desk()
    play(
        desk,
        desk.agreed(),
        (do(Option.STATUS), will(Option.STATUS), b""),
        (
            sub(Option.STATUS, b"\x01"),
            sub(Option.STATUS, bytes.fromhex("00 fb00 fd00 fb03 fd03 fd2c fb05")),
            b"",
        ),
    )


def test_status_is_silent_while_it_is_off() -> None:
    desk = Desk()
    play(desk, desk.telnet(), (sub(Option.STATUS, b"\x01"), b"", b""))


def test_logout_ends_the_session_after_the_bytes_before_it() -> None:
    desk = Desk()
    client = desk.telnet()
    client.sends(b"bye" + do(Option.LOGOUT) + b"too late")
    desk.passes(1)
    assert desk.line.sent.startswith(b"bye")
    assert client.gets() == will(Option.LOGOUT)
    assert client.is_closed()
    assert desk.port.owner is None


# ---- data


def test_every_byte_value_passes_both_ways_in_binary() -> None:
    desk = Desk()
    client = desk.agreed()
    data = bytes(range(256))
    doubled = data.replace(IAC, IAC + IAC)
    play(desk, client, (doubled, b"", data))
    desk.line.receive(data)
    desk.passes(1)
    assert client.gets() == doubled


def test_without_binary_a_bare_cr_has_a_nul_in_each_direction() -> None:
    desk = Desk()
    client = desk.telnet()
    play(
        desk, client, (b"a\r\0b\r\nc", b"", b"a\rb\r\nc"), (b"\r", b"", b"\r"), (b"\0d", b"", b"d")
    )
    desk.line.receive(b"a\rb\r\nc\0")
    desk.passes(0)
    assert client.gets() == b"a\r\0b\r\nc\0"


@pytest.mark.parametrize(
    ("agreement", "reaches", "gets"),
    [
        (will(Option.BINARY), b"\r\0", b"\r\0x"),
        (do(Option.BINARY), b"\r", b"\rx"),
    ],
    ids=["from the client", "to the client"],
)
def test_binary_is_agreed_for_each_direction_alone(
    agreement: bytes, reaches: bytes, gets: bytes
) -> None:
    desk = Desk()
    client = desk.telnet()
    play(desk, client, (agreement, b"", b""), (b"\r\0", b"", reaches))
    desk.line.receive(b"\rx")
    desk.passes(0)
    assert client.gets() == gets


def test_a_client_is_read_ahead_of_the_line_up_to_a_limit() -> None:
    desk = Desk()
    client = desk.agreed()
    desk.stop_line()
    chunk = bytes(65536)
    sent = 0
    while client.is_read():
        client.sends(chunk)
        sent += len(chunk)
        assert sent < 2 * LOOK_AHEAD_BYTES
    assert desk.port.outbox.load > LOOK_AHEAD_BYTES
    desk.let_line_go()
    desk.passes(sent / desk.line.settings().bytes_per_second + 1)
    assert client.is_read()
    assert len(desk.line.sent) == sent


# ---- control functions


def test_are_you_there_is_answered_in_words() -> None:
    desk = Desk()
    play(desk, desk.telnet(), (command(Command.AYT), b"\r\n[psu1: yes]\r\n", b""))


@pytest.mark.parametrize(
    ("which", "character"),
    [
        (Command.IP, b"\x03"),
        (Command.EC, b"\x7f"),
        (Command.EL, b"\x15"),
        (Command.EOF, b"\x04"),
        (Command.SUSP, b"\x1a"),
        (Command.ABORT, b"\x1c"),
    ],
)
def test_a_function_is_the_character_that_a_console_knows(which: Command, character: bytes) -> None:
    desk = Desk()
    play(desk, desk.agreed(), (b"a" + command(which) + b"b", b"", b"a" + character + b"b"))


@pytest.mark.parametrize("which", [Command.NOP, Command.GA, Command.DM, Command.EOR])
def test_a_function_without_meaning_here_leaves_nothing_behind(which: Command) -> None:
    desk = Desk()
    play(desk, desk.agreed(), (b"a" + command(which) + b"b", b"", b"ab"))


def test_abort_output_answers_with_a_synch_and_drops_what_the_line_received() -> None:
    desk = Desk()
    client = desk.agreed()
    desk.port.line_gate.hold(Hold.CLIENT_SLOW)
    desk.line.receive(b"not wanted any more")
    desk.passes(0)
    play(desk, client, (command(Command.AO), DM, b""))
    assert client.urgent == [len(client.received) - 1]
    desk.port.line_gate.release(Hold.CLIENT_SLOW)
    desk.line.receive(b"new")
    desk.passes(0)
    assert client.gets() == b"new"


def test_brk_is_a_break_of_250_ms_at_its_place_among_the_bytes() -> None:
    desk = Desk()
    client = desk.agreed()
    start = desk.clock.time()
    client.sends(b"before" + command(Command.BRK) + b"behind")
    desk.passes(0.1)
    assert desk.line.sent == b"before"
    desk.passes(1)
    (begin, on), (end, off) = desk.line.breaks
    assert (on, off) == (True, False)
    assert begin - start == pytest.approx(6 / desk.line.settings().bytes_per_second)
    assert end - begin == pytest.approx(BREAK_S)
    assert BREAK_S == 0.25
    assert desk.line.sent == b"beforebehind"


def test_two_breaks_are_two() -> None:
    desk = Desk()
    desk.agreed().sends(command(Command.BRK) * 2)
    desk.passes(1)
    assert [on for _, on in desk.line.breaks] == [True, False, True, False]


def test_breaks_end_with_the_client_that_asked_for_them() -> None:
    desk = Desk()
    client = desk.agreed()
    client.sends(command(Command.BRK) * 1000)
    desk.passes(BREAK_S / 2)
    client.goes()
    desk.passes(BREAK_S)
    assert [on for _, on in desk.line.breaks] == [True, False]
    assert desk.port.outbox.empty


def test_timing_mark_is_answered_when_the_bytes_before_it_have_left() -> None:
    desk = Desk()
    client = desk.agreed()
    desk.stop_line()
    client.sends(b"x" * 1000 + do(Option.TIMING_MARK))
    desk.passes(3600)
    assert client.gets() == b""
    desk.let_line_go()
    rate = desk.line.settings().bytes_per_second
    desk.passes(990 / rate)
    assert client.gets() == b""
    desk.passes(20 / rate)
    assert client.gets() == will(Option.TIMING_MARK)


def test_each_timing_mark_is_a_question_of_its_own() -> None:
    desk = Desk()
    mark = Option.TIMING_MARK
    play(desk, desk.agreed(), (do(mark), will(mark), b""), (do(mark), will(mark), b""))


# ---- Synch


def test_a_synch_discards_what_stands_before_its_dm() -> None:
    desk = Desk()
    client = desk.agreed()
    client.announces_urgent_data()
    play(desk, client, (b"discarded" + DM + b"kept", b"", b"kept"))


def test_a_synch_discards_data_and_nothing_else() -> None:
    desk = Desk()
    client = desk.agreed()
    client.announces_urgent_data()
    gets = b"\r\n[psu1: yes]\r\n"
    play(
        desk,
        client,
        (b"lost" + command(Command.IP) + b"lost" + command(Command.AYT), gets, b"\x03"),
        (b"lost" + DM + b"kept", b"", b"kept"),
    )


def test_a_synch_gets_an_interrupt_past_a_line_that_is_stuck() -> None:
    desk = Desk()
    client = desk.agreed()
    desk.stop_line()
    client.sends(command(Command.IP))
    taken = desk.port.settling.window - 1
    sent = 0
    while client.is_read():
        client.sends(bytes(65536))
        sent += 65536
    client.announces_urgent_data()
    assert client.is_read()
    client.sends(bytes(65536) + command(Command.IP) + DM + b"on")
    assert client.is_read()
    assert desk.port.leftover.discarded == sent - taken
    desk.let_line_go()
    desk.passes(1)
    assert desk.line.sent == b"\x03" + bytes(taken) + b"\x03on"


def test_a_synch_spares_the_functions_that_wait_for_the_line() -> None:
    desk = Desk()
    client = desk.agreed()
    desk.stop_line()
    client.sends(bytes(5000) + command(Command.IP) + bytes(5000) + do(Option.TIMING_MARK))
    client.announces_urgent_data()
    client.sends(DM)
    desk.let_line_go()
    desk.passes(1)
    assert desk.line.sent == bytes(desk.port.settling.window) + b"\x03"
    assert client.gets() == will(Option.TIMING_MARK)


@pytest.mark.parametrize("erases", [Command.EC, Command.EL])
def test_a_synch_drops_what_edits_data_with_the_data(erases: Command) -> None:
    desk = Desk()
    client = desk.agreed()
    desk.stop_line()
    client.sends(bytes(5000) + command(erases))
    client.announces_urgent_data()
    client.sends(b"lost" + command(erases) + DM + b"kept")
    desk.let_line_go()
    desk.passes(1)
    assert desk.line.sent == bytes(desk.port.settling.window) + b"kept"


def test_a_synch_of_a_client_that_waits_is_no_matter_of_the_one_before_it() -> None:
    desk = Desk()
    client = desk.agreed()
    desk.stop_line()
    client.sends(bytes(5000))
    desk.telnet().announces_urgent_data()
    desk.let_line_go()
    desk.passes(1)
    assert len(desk.line.sent) == 5000


@pytest.mark.parametrize("former", [1, 2])
def test_a_synch_of_an_owner_spares_what_those_before_it_left(former: int) -> None:
    desk = Desk()
    desk.stop_line()
    for _ in range(former):
        before = desk.agreed()
        before.sends(bytes(5000) + do(Option.TIMING_MARK) + b"end")
        before.goes()
    client = desk.agreed()
    client.sends(b"lost" + command(Command.IP) + b"lost")
    client.announces_urgent_data()
    client.sends(DM + b"kept")
    desk.let_line_go()
    desk.passes(2)
    assert desk.line.sent == (bytes(5000) + b"end") * former + b"\x03kept"
    assert desk.port.leftover.discarded == len(b"lostlost")


def test_a_dm_without_urgent_data_is_nothing() -> None:
    desk = Desk()
    play(desk, desk.agreed(), (b"a" + DM + b"b", b"", b"ab"))


# ---- malformed


def reasons(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if getattr(record, "happening", None) is Happening.PROTOCOL_VIOLATION
    ]


@pytest.mark.parametrize(
    "malformed",
    [
        command(Command.SE),
        IAC + b"\x05",
        sub(Option.COM_PORT, b""),
        sub(Option.COM_PORT, b"\x63\x01"),
        sub(Option.COM_PORT, b"\x01\x00"),
        sub(Option.COM_PORT, bytes(2000)),
        sub(24, b"\x01"),
        IAC + bytes((Command.SB, Option.COM_PORT, 1)) + command(Command.NOP),
    ],
    ids=[
        "SE alone",
        "no command",
        "empty",
        "unknown request",
        "short",
        "too long",
        "option off",
        "never ended",
    ],
)
def test_what_is_malformed_is_reported_skipped_and_harms_nothing_after_it(
    malformed: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gatewayd")
    desk = Desk()
    play(desk, desk.agreed(), (b"before" + malformed + b"after", b"", b"beforeafter"))
    assert len(reasons(caplog)) == 1


def test_a_session_reports_a_few_violations_and_then_no_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "gatewayd")
    desk = Desk()
    client = desk.agreed()
    play(desk, client, ((command(Command.SE) + b"x") * 100, b"", b"x" * 100))
    assert len(reasons(caplog)) == REPORTED_VIOLATIONS == 5


def test_a_violation_is_logged_with_who_and_where(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gatewayd")
    client = Desk().agreed()
    client.sends(command(Command.SE))
    record = caplog.records[-1]
    assert vars(record)["gatewayd_port"] == "psu1"
    assert vars(record)["gatewayd_peer"] == client.session.peername


# ---- clients that do not read


def test_a_client_that_asks_and_does_not_read_is_not_read_either() -> None:
    desk = Desk()
    client = desk.agreed()
    client.room = 0
    yes = b"\r\n[psu1: yes]\r\n"
    asked = 0
    while client.is_read():
        client.sends(command(Command.AYT) * 512)
        asked += 512
        assert asked * len(yes) < 2 * HIGH_BYTES
    client.takes(float("inf"))
    assert client.is_read()
    desk.passes(0)
    same(client.gets(), yes * asked)
    play(desk, client, (b"x", b"", b"x"))


def test_a_half_closed_client_gets_the_answer_until_the_line_is_quiet() -> None:
    desk = Desk()
    client = desk.telnet()
    client.sends(b"*IDN?\n")
    client.ends_its_side()
    desk.line.receive(b"ACME\n")
    desk.passes(QUIET_S / 2)
    assert client.gets() == b"ACME\n"
    assert not client.is_closed()
    desk.passes(2 * QUIET_S)
    assert client.is_closed()
