"""The raw face: plain bytes both ways, and not one that the device or the client did not send."""

from __future__ import annotations

import pytest

from gatewayd.config.schema import Busy, OnBusy, WhileAbsent
from gatewayd.line.model import Signal
from gatewayd.port.farewell import QUIET_S
from gatewayd.port.leftover import HURRY_S, STALL_S
from gatewayd.port.peer import HIGH_BYTES
from gatewayd.port.places import Place
from gatewayd.port.proof import Proof
from gatewayd.port.session import Session
from tests.port.desk import FAST, SINCE, Client, Desk

EVERY_BYTE = bytes(range(256))


def test_every_byte_value_passes_both_ways_unchanged() -> None:
    desk = Desk()
    client = desk.raw()
    client.sends(EVERY_BYTE)
    desk.line.receive(EVERY_BYTE)
    desk.passes(1)
    assert desk.line.sent == EVERY_BYTE
    assert client.gets() == EVERY_BYTE


def test_nothing_is_sent_before_the_device_sends() -> None:
    desk = Desk()
    client = desk.raw()
    desk.passes(60)
    assert client.gets() == b""


def test_a_client_of_a_held_port_is_closed_without_a_byte() -> None:
    desk = Desk()
    holder = desk.raw()
    second = desk.raw()
    assert second.gets() == b""
    assert second.is_closed()
    assert not holder.is_closed()


def test_a_client_is_not_read_while_the_line_is_full_and_read_again_when_it_has_taken_all() -> None:
    desk = Desk()
    client = desk.raw()
    desk.stop_line()
    client.sends(bytes(desk.port.settling.window))
    assert client.is_read()
    client.sends(b"x" * 100)
    assert not client.is_read()
    desk.let_line_go()
    desk.passes(1)
    assert client.is_read()
    assert desk.line.sent == bytes(desk.port.settling.window) + b"x" * 100


def test_what_is_read_at_once_fits_the_window_of_the_line() -> None:
    desk = Desk()
    session = desk.raw().session
    assert session.read_size == desk.port.settling.window == int(FAST.bytes_per_second / 4)


def test_a_client_that_does_not_read_stops_the_line_until_it_reads_again() -> None:
    desk = Desk()
    client = desk.raw()
    client.room = 0
    data = EVERY_BYTE * (HIGH_BYTES // 256)
    desk.device_sends(data)
    assert desk.line.is_read()
    desk.device_sends(b"one more")
    assert not desk.line.is_read()
    desk.device_sends(b" and held back")
    client.takes(float("inf"))
    assert desk.line.is_read()
    desk.passes(0)
    assert client.gets() == data + b"one more and held back"


def test_a_half_closed_client_gets_the_answer_and_is_closed_when_the_line_is_quiet() -> None:
    desk = Desk()
    client = desk.raw()
    client.sends(b"*IDN?\n")
    client.ends_its_side()
    desk.passes(QUIET_S / 2)
    desk.line.receive(b"ACME,")
    desk.passes(QUIET_S)
    desk.line.receive(b"PSU\n")
    desk.passes(QUIET_S / 2)
    assert not client.is_closed()
    desk.passes(QUIET_S * 2)
    assert client.gets() == b"ACME,PSU\n"
    assert client.is_closed()
    assert desk.port.owner is None


def test_a_half_closed_client_is_not_closed_while_its_bytes_still_wait_for_the_line() -> None:
    desk = Desk()
    client = desk.raw()
    desk.stop_line()
    client.sends(bytes(2 * desk.port.settling.window))
    client.ends_its_side()
    desk.passes(10 * QUIET_S)
    assert not client.is_closed()
    desk.let_line_go()
    desk.passes(10 * QUIET_S)
    assert client.is_closed()
    assert len(desk.line.sent) == 2 * desk.port.settling.window


def test_a_newcomer_replaces_a_half_closed_client_that_has_had_its_answer() -> None:
    desk = Desk()
    first = desk.raw()
    first.sends(b"question")
    desk.line.receive(b"answer")
    desk.passes(1)
    first.ends_its_side()
    second = desk.raw()
    assert first.is_closed()
    assert desk.port.owner is second.session
    desk.passes(10 * QUIET_S)
    assert not second.is_closed()


def test_a_newcomer_waits_for_the_answer_to_a_half_closed_client() -> None:
    desk = Desk()
    first = desk.raw()
    first.sends(b"question")
    first.ends_its_side()
    second = desk.raw()
    desk.line.receive(b"answer")
    desk.passes(0.1)
    assert first.gets() == b"answer"
    desk.passes(3 * QUIET_S)
    assert first.is_closed()
    assert second.gets() == b""
    assert desk.port.owner is second.session


def test_a_newcomer_waits_no_longer_for_one_whose_line_stands_still() -> None:
    desk = Desk()
    first = desk.raw()
    desk.stop_line()
    first.sends(b"question")
    first.ends_its_side()
    second = desk.raw()
    desk.passes(STALL_S + 2 * QUIET_S)
    assert first.is_closed()
    assert desk.port.owner is second.session


def test_a_client_that_does_not_read_is_not_taken_for_a_quiet_line() -> None:
    desk = Desk()
    client = desk.raw()
    client.room = 0
    client.sends(b"question")
    client.ends_its_side()
    desk.line.receive(b"answer")
    desk.passes(20 * QUIET_S)
    assert not client.is_closed()
    client.takes(float("inf"))
    desk.passes(3 * QUIET_S)
    assert client.gets() == b"answer"
    assert client.is_closed()


def test_a_client_that_is_gone_gets_nothing_more_and_its_bytes_still_go_to_the_line() -> None:
    desk = Desk()
    client = desk.raw()
    client.sends(b"last words")
    client.goes()
    desk.line.receive(b"too late")
    desk.passes(1)
    assert desk.line.sent == b"last words"
    assert client.gets() == b""
    assert desk.port.counters.discarded_from_device == len(b"too late")


def test_a_text_for_a_person_is_not_for_a_machine() -> None:
    desk = Desk()
    client = desk.raw()
    client.session.tell("hello")
    assert client.gets() == b""


def test_the_counters_are_those_of_the_line() -> None:
    desk = Desk()
    client = desk.raw()
    client.sends(b"12345")
    desk.line.receive(b"123")
    desk.passes(1)
    assert (client.session.bytes_in, client.session.bytes_out) == (5, 3)


def test_while_absent_discard_takes_bytes_and_counts_them() -> None:
    desk = Desk()
    client = desk.raw()
    desk.unplug()
    client.sends(b"x" * 70)
    assert client.is_read()
    assert desk.port.leftover.discarded == 70


def test_while_absent_refuse_leaves_bytes_at_the_client() -> None:
    desk = Desk(while_absent=WhileAbsent.REFUSE)
    client = desk.raw()
    desk.unplug()
    assert not client.is_read()
    desk.plug()
    assert client.is_read()
    client.sends(b"now")
    desk.passes(1)
    assert desk.line.sent == b"now"
    assert desk.port.leftover.discarded == 0


def test_modem_lines_and_errors_are_no_matter_of_the_raw_face() -> None:
    desk = Desk()
    client = desk.raw()
    desk.line.set_inputs(Signal.NONE, Signal.CTS | Signal.CD)
    desk.line.receive_break()
    desk.passes(1)
    assert client.gets() == b"\0"


def test_a_session_goes_on_in_another_process() -> None:
    before = Desk()
    client = before.raw()
    client.sends(b"12345")
    before.line.receive(b"123")
    before.passes(1)
    client.session.proof = Proof(name="alice", by="a ticket")
    desk = Desk()
    heir = Session(desk.port, client, number=7, peername="192.0.2.7:1", since=SINCE)
    heir.restore(client.session.snapshot())
    assert desk.port.owner is heir
    assert (heir.bytes_in, heir.bytes_out) == (5, 3)
    assert heir.proof == client.session.proof
    desk.line.receive(b"more")
    desk.passes(1)
    assert client.gets() == b"123more"


def test_one_that_watches_on_in_another_process_is_read_whatever_waits_for_the_line() -> None:
    before = Desk()
    client = before.looks(Session)
    desk = Desk()
    owner = desk.raw()
    desk.stop_line()
    owner.sends(bytes(desk.port.settling.window + 1))
    heir = Session(desk.port, client, number=7, peername="192.0.2.7:1", since=SINCE)
    heir.restore({**client.session.snapshot(), "place": Place.WATCHING.value})
    assert desk.port.clients.watchers == [heir]
    assert client.is_read()


def test_a_session_that_goes_on_without_its_device_knows_it() -> None:
    client = Desk().raw()
    desk = Desk(plugged=False, while_absent=WhileAbsent.REFUSE)
    heir = Session(desk.port, client, number=7, peername="192.0.2.7:1", since=SINCE)
    heir.restore(client.session.snapshot())
    assert not client.is_read()
    desk.plug()
    assert client.is_read()
    assert desk.port.line_gate.held == 0


def closes_behind_a_stuck_line(desk: Desk, client: Client) -> None:
    """FIN, behind bytes that are not read because the line does not take those before them."""
    desk.stop_line()
    client.sends(bytes(desk.port.settling.window + 1))
    assert not client.is_read()
    client.sent_last = client.left = True
    client.session.peer_closing()


def test_a_client_that_closed_behind_a_stuck_line_makes_room_for_the_next() -> None:
    desk = Desk()
    first = desk.raw()
    closes_behind_a_stuck_line(desk, first)
    second = desk.raw()
    desk.passes(HURRY_S - 0.1)
    assert not first.is_closed()
    assert not second.is_closed()
    desk.passes(0.2)
    assert first.is_closed()
    assert desk.port.owner is second.session


def test_while_what_a_closed_client_sent_still_moves_it_keeps_the_line() -> None:
    desk = Desk()
    first = desk.raw()
    closes_behind_a_stuck_line(desk, first)
    second = desk.raw()
    for _ in range(3):
        desk.passes(HURRY_S - 0.2)
        desk.device_sends(b"chatter")
        first.session.receive(b"more")
        desk.passes(0.2)
        assert desk.port.owner is first.session
    desk.passes(2 * STALL_S)
    assert desk.port.owner is second.session


def closes_and_does_not_read(desk: Desk) -> Client:
    """FIN behind a command, of a client that has not taken what the line said before."""
    client = desk.raw()
    client.room = 1000
    while desk.line.is_read():
        desk.device_sends(bytes(1024))
    client.sends(b"CMD\n")
    desk.passes(1)
    client.ends_its_side()
    return client


@pytest.mark.parametrize("busy", [OnBusy.REFUSE, OnBusy.TAKEOVER, OnBusy.WATCH])
def test_a_client_that_closed_its_side_and_takes_nothing_makes_room_for_the_next(
    busy: OnBusy,
) -> None:
    desk = Desk(busy=Busy(busy))
    closes_and_does_not_read(desk)
    desk.passes(10 * STALL_S)
    second = desk.raw()
    desk.passes(STALL_S - 0.2)
    assert desk.port.owner is not second.session
    assert not second.is_closed()
    desk.passes(0.4)
    assert desk.port.owner is second.session


def test_while_a_client_that_closed_its_side_takes_something_it_keeps_the_line() -> None:
    desk = Desk()
    first = closes_and_does_not_read(desk)
    second = desk.raw()
    for _ in range(5):
        desk.passes(STALL_S - 0.5)
        assert desk.port.owner is first.session
        first.takes(10)
    desk.passes(2 * STALL_S)
    assert desk.port.owner is second.session


def test_with_nobody_waiting_it_may_take_its_time() -> None:
    desk = Desk()
    first = closes_and_does_not_read(desk)
    desk.passes(100 * STALL_S)
    assert desk.port.owner is first.session
    assert not first.is_closed()
