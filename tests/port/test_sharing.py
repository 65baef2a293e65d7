"""Several clients at one line: who owns it, who watches, and what becomes of each."""

from __future__ import annotations

import itertools

import pytest

from gatewayd.comport.wire import Command, Control
from gatewayd.config.schema import Busy, OnBusy, OnUnplug
from gatewayd.line.model import Signal
from gatewayd.port.arbiter import YOUNG_S
from gatewayd.port.peer import HIGH_BYTES
from gatewayd.port.places import OUT, TABLE, Cue, Place
from gatewayd.port.session import Session
from gatewayd.port.telnet_session import NOTICE_S
from gatewayd.telnet.constants import Command as Telnet
from gatewayd.telnet.constants import Option
from tests.port.desk import Desk
from tests.port.wire import LEVELS, answer, ask, command, do, dont, notify, will
from tests.same import same

TAKEOVER = Busy(OnBusy.TAKEOVER)
WATCH = Busy(OnBusy.WATCH)
OURS = b"\r\n[psu1: it is yours now]\r\n"


def says(text: str) -> bytes:
    return f"\r\n[psu1: {text}]\r\n".encode()


def stepped_aside(by: int) -> bytes:
    text = f"taken over by 192.0.2.{by}:4{by:03}; you watch until it goes"
    return says(text)


# ---- the table


def test_the_table_says_nothing_of_what_cannot_happen() -> None:
    assert set(TABLE) < set(itertools.product(Place, Cue))
    assert not [cue for place, cue in TABLE if place is Place.WATCHING and cue is Cue.LOOKS_ON]


@pytest.mark.parametrize("place", Place)
def test_whoever_is_anywhere_can_be_gone(place: Place) -> None:
    assert TABLE[place, Cue.GONE] is OUT


def test_only_a_turn_gives_the_port() -> None:
    assert {cue for (_, cue), after in TABLE.items() if after is Place.SEATED} == {Cue.TURN}


# ---- taken over, and promoted


def test_a_person_that_is_taken_over_stays_and_watches() -> None:
    desk = Desk(busy=TAKEOVER)
    old = desk.person()
    new = desk.raw()
    assert old.gets() == stepped_aside(2)
    assert not old.is_closed()
    desk.device_sends(b"data")
    assert (old.gets(), new.gets()) == (b"data", b"data")
    old.sends(b"not sent")
    new.sends(b"sent")
    desk.passes(1)
    assert desk.line.sent == b"sent"


def test_and_has_the_port_again_when_the_newcomer_goes() -> None:
    desk = Desk(busy=TAKEOVER)
    old = desk.person()
    new = desk.raw()
    old.gets()
    new.goes()
    assert old.gets() == do(Option.COM_PORT) + OURS
    old.sends(b"mine")
    desk.passes(1)
    assert desk.line.sent == b"mine"
    assert desk.port.owner is old.session
    assert desk.port.clients.watchers == []
    desk.device_sends(b"once")
    assert old.gets() == b"once"


def test_a_program_that_is_taken_over_is_closed_with_last_words() -> None:
    desk = Desk(busy=TAKEOVER)
    old = desk.agreed()
    desk.telnet()
    assert old.gets() == b"\r\npsu1: taken over by 192.0.2.2:4002\r\n"
    assert old.is_closed()


def test_those_who_were_taken_over_have_it_again_the_last_one_first() -> None:
    desk = Desk(busy=TAKEOVER)
    first, second, third = desk.person(), desk.person(), desk.raw()
    assert desk.port.owner is third.session
    third.goes()
    assert desk.port.owner is second.session
    desk.passes(YOUNG_S)
    second.goes()
    assert desk.port.owner is first.session


def test_one_that_goes_while_it_watches_is_not_promoted() -> None:
    desk = Desk(busy=TAKEOVER)
    first, second = desk.person(), desk.raw()
    first.goes()
    second.goes()
    assert desk.port.owner is None
    assert desk.port.clients.watchers == []


def test_one_that_has_closed_its_side_unseen_is_not_promoted() -> None:
    desk = Desk(busy=TAKEOVER)
    first, second = desk.person(), desk.raw()
    first.sent_last = True
    second.goes()
    assert desk.port.owner is None


def test_what_was_sent_before_the_takeover_goes_first_and_is_answered() -> None:
    desk = Desk(busy=TAKEOVER)
    old = desk.person()
    desk.stop_line()
    old.sends(b"before" + do(Option.TIMING_MARK))
    new = desk.raw()
    old.gets()
    new.sends(b"after")
    desk.let_line_go()
    desk.passes(1)
    assert desk.line.sent == b"beforeafter"
    assert old.gets() == will(Option.TIMING_MARK)


def test_a_break_before_the_takeover_is_of_no_effect_behind_it() -> None:
    desk = Desk(busy=TAKEOVER)
    old = desk.person()
    desk.stop_line()
    old.sends(b"before" + command(Telnet.BRK))
    desk.raw()
    desk.let_line_go()
    desk.passes(1)
    assert True not in [on for _, on in desk.line.breaks]


def test_the_settings_of_the_file_come_back_between_one_and_the_next() -> None:
    desk = Desk(busy=TAKEOVER)
    old = desk.person()
    new = desk.agreed()
    new.sends(ask(Command.SET_BAUDRATE, 9600))
    assert desk.line.settings().baudrate == 9600
    new.goes()
    assert desk.port.owner is old.session
    assert desk.line.settings().baudrate == 115200


def test_a_slow_one_holds_up_the_line_again_once_it_is_promoted() -> None:
    desk = Desk(busy=TAKEOVER)
    old, new = desk.person(), desk.raw()
    old.room = 0
    desk.device_sends(bytes(200_000))
    assert desk.line.is_read()
    assert old.most_kept < 2 * HIGH_BYTES
    new.goes()
    assert not desk.line.is_read()
    old.takes(float("inf"))
    assert desk.line.is_read()


def test_one_that_waits_goes_before_one_that_watches() -> None:
    desk = Desk(busy=TAKEOVER)
    first, second = desk.person(), desk.raw()
    desk.port.reconfigure(desk.port.config.__class__("psu1", "/dev/ttyS9", busy=Busy(wait=60)))
    third = desk.raw()
    second.goes()
    assert desk.port.owner is third.session
    desk.passes(1)
    third.goes()
    assert desk.port.owner is first.session


def test_while_the_device_is_away_nobody_is_promoted_until_it_is_back() -> None:
    desk = Desk(busy=TAKEOVER)
    first, second = desk.person(), desk.raw()
    desk.unplug()
    second.goes()
    assert desk.port.owner is None
    desk.plug()
    assert desk.port.owner is first.session


def test_a_session_that_ends_with_its_device_leaves_the_watchers() -> None:
    desk = Desk(busy=TAKEOVER, on_unplug=OnUnplug(0))
    first, second = desk.person(), desk.raw()
    desk.unplug()
    assert second.is_closed()
    assert not first.is_closed()
    assert desk.port.clients.watchers == [first.session]


def test_a_robot_that_is_taken_over_before_it_has_agreed_fails_in_its_opening() -> None:
    desk = Desk(busy=TAKEOVER)
    robot = desk.telnet()
    desk.raw()
    robot.gets()
    robot.sends(will(Option.COM_PORT))
    assert dont(Option.COM_PORT) in robot.gets() or not robot.session.person


# ---- busy: watch


def test_a_second_person_watches_and_is_told_so() -> None:
    desk = Desk(busy=WATCH)
    owner = desk.raw()
    second = desk.client_that_says_nothing()
    text = "in use by 192.0.2.1:4001 since 2030-01-02 03:04:05 UTC; you watch"
    assert second.gets().endswith(says(text))
    desk.device_sends(b"BOOT\r\n")
    assert (owner.gets(), second.gets()) == (b"BOOT\r\n", b"BOOT\r\n")


def test_and_gets_the_port_when_it_is_free() -> None:
    desk = Desk(busy=WATCH)
    owner = desk.raw()
    second, third = desk.person(), desk.person()
    owner.goes()
    assert desk.port.owner is second.session
    assert second.gets() == do(Option.COM_PORT) + OURS
    assert third.gets() == b""


def test_com_port_control_is_refused_to_a_second_one() -> None:
    desk = Desk(busy=WATCH)
    desk.raw()
    robot = desk.client_that_says_nothing()
    assert do(Option.COM_PORT) not in robot.gets()
    robot.sends(will(Option.COM_PORT))
    assert robot.gets() == dont(Option.COM_PORT)


def test_a_second_raw_client_is_refused_all_the_same() -> None:
    desk = Desk(busy=WATCH)
    desk.raw()
    second = desk.raw()
    assert second.is_closed()
    assert second.gets() == b""


def test_what_one_types_who_watches_is_not_sent_and_it_is_told_once_in_a_while() -> None:
    desk = Desk()
    desk.raw()
    watcher = desk.looks()
    text = says("you watch, 192.0.2.1:4001 has it; what you type is not sent")
    watcher.sends(b"hello\r\0")
    assert watcher.gets() == text
    watcher.sends(b"again")
    desk.passes(NOTICE_S - 0.1)
    watcher.sends(b"again")
    assert watcher.gets() == b""
    desk.passes(0.1)
    watcher.sends(b"again")
    assert watcher.gets() == text
    assert not desk.line.sent


# ---- busy: wait


def test_one_that_comes_before_the_first_is_gone_has_the_port_then() -> None:
    desk = Desk(busy=Busy(wait=2))
    first = desk.raw()
    second = desk.raw()
    desk.passes(1)
    assert not second.is_closed()
    assert not second.is_read()
    first.goes()
    second.sends(b"mine")
    desk.passes(1)
    assert desk.line.sent == b"mine"


def test_one_that_waits_in_vain_is_refused_when_its_time_is_over() -> None:
    desk = Desk(busy=Busy(wait=2))
    desk.raw()
    second = desk.client_that_says_nothing()
    desk.passes(1.9)
    assert not second.is_closed()
    desk.passes(0.1)
    assert second.is_closed()
    assert b"in use by 192.0.2.1:4001" in second.gets()
    assert desk.clock.pending() <= 1, "nothing more is due"


# ---- addresses for those who only watch


@pytest.mark.parametrize("plugged", [True, False])
def test_one_watches_while_nobody_holds_the_port_and_while_the_device_is_away(
    plugged: bool,
) -> None:
    desk = Desk(plugged=plugged)
    watcher = desk.looks(Session)
    if not plugged:
        desk.plug()
    desk.device_sends(b"data")
    assert watcher.gets() == b"data"
    assert desk.port.owner is None
    assert desk.port.counters.discarded_from_device == 0


def test_it_stays_when_the_device_goes_and_comes_back() -> None:
    desk = Desk(on_unplug=OnUnplug(0))
    watcher = desk.looks()
    desk.unplug()
    desk.plug()
    desk.device_sends(b"back")
    assert watcher.gets() == b"back"


def test_it_never_holds_the_port() -> None:
    desk = Desk()
    owner, watcher = desk.raw(), desk.looks()
    owner.goes()
    assert desk.port.owner is None
    watcher.sends(b"x")
    desk.passes(1)
    assert not desk.line.sent


def test_behind_glass_a_setting_is_answered_with_what_is_in_force() -> None:
    desk = Desk()
    owner, watcher = desk.agreed(), desk.looks_through_glass()
    watcher.sends(ask(Command.SET_BAUDRATE, 9600))
    assert watcher.gets() == answer(Command.SET_BAUDRATE, 115200)
    watcher.sends(ask(Command.SET_BAUDRATE, 115200))
    assert watcher.gets() == answer(Command.SET_BAUDRATE, 115200)
    assert desk.line.configured == []
    assert owner.gets() == b""


@pytest.mark.parametrize(
    "value", [Control.DTR_OFF, Control.RTS_OFF, Control.BREAK_ON, Control.BREAK_OFF]
)
def test_behind_glass_signals_and_break_are_acknowledged(value: Control) -> None:
    desk = Desk()
    owner, watcher = desk.agreed(), desk.looks_through_glass()
    watcher.sends(ask(Command.SET_CONTROL, value))
    assert watcher.gets() == answer(Command.SET_CONTROL, value)
    assert Signal.DTR | Signal.RTS in desk.line.signals()
    assert True not in [on for _, on in desk.line.breaks]
    assert owner.gets() == b""


def test_behind_glass_purge_logout_and_telnets_functions_touch_nothing() -> None:
    desk = Desk()
    owner, watcher = desk.agreed(), desk.looks_through_glass()
    desk.stop_line()
    owner.sends(b"waits" * 10_000)
    watcher.sends(ask(Command.PURGE_DATA, 3))
    assert watcher.gets() == answer(Command.PURGE_DATA, 3)
    watcher.sends(b"".join(command(one) for one in (Telnet.BRK, Telnet.IP, Telnet.AO, Telnet.DM)))
    watcher.announces_urgent_data()
    watcher.sends(command(Telnet.DM) + do(Option.LOGOUT))
    assert watcher.is_closed()
    desk.let_line_go()
    desk.passes(10)
    same(desk.line.sent, b"waits" * 10_000)
    assert True not in [on for _, on in desk.line.breaks]
    assert not owner.is_closed()


LOOKS_AT_THE_DRIVER = ask(Command.NOTIFY_MODEMSTATE)


@pytest.mark.parametrize(
    ("asked", "gets"),
    [
        (ask(Command.SET_DATASIZE), answer(Command.SET_DATASIZE, 8)),
        (do(Option.TIMING_MARK), will(Option.TIMING_MARK)),
        (LOOKS_AT_THE_DRIVER, notify(LEVELS)),
    ],
)
def test_behind_glass_an_answer_that_takes_its_time_is_before_all_later_ones(
    asked: bytes, gets: bytes
) -> None:
    desk = Desk()
    watcher = desk.looks_through_glass()
    desk.line.driver.sleep()
    watcher.sends(LOOKS_AT_THE_DRIVER)
    watcher.sends(asked)
    watcher.sends(ask(Command.SET_STOPSIZE))
    assert watcher.gets() == b""
    while desk.line.driver.begun:
        desk.line.driver.wake()
    assert watcher.gets() == notify(LEVELS) + gets + answer(Command.SET_STOPSIZE, 1)


def test_behind_glass_a_client_is_not_read_while_too_much_of_it_waits() -> None:
    desk = Desk()
    watcher = desk.looks_through_glass()
    desk.line.driver.sleep()
    sent = 0
    while watcher.is_read():
        watcher.sends(LOOKS_AT_THE_DRIVER)
        sent += 1
        assert sent < 10_000
    while desk.line.driver.begun:
        desk.line.driver.wake()
        desk.passes(0)
    assert watcher.is_read()
    assert watcher.gets() == notify(LEVELS) * sent


def test_one_that_watches_is_read_whatever_waits_for_the_line() -> None:
    desk = Desk()
    owner, watcher = desk.agreed(), desk.looks_through_glass()
    desk.stop_line()
    while owner.is_read():
        owner.sends(bytes(65536))
    watcher.sends(ask(Command.SET_DATASIZE))
    assert watcher.gets() == answer(Command.SET_DATASIZE, 8)
    assert watcher.is_read()


def test_one_that_leaves_while_it_waits_for_an_answer_gets_none() -> None:
    desk = Desk()
    watcher = desk.looks_through_glass()
    desk.line.driver.sleep()
    watcher.sends(LOOKS_AT_THE_DRIVER + do(Option.TIMING_MARK))
    watcher.goes()
    while desk.line.driver.begun:
        desk.line.driver.wake()
    assert watcher.gets() == b""


def test_modem_lines_are_notified_to_both() -> None:
    desk = Desk()
    owner, watcher = desk.agreed(), desk.looks_through_glass()
    desk.line.set_inputs(Signal.NONE, Signal.CTS)
    desk.passes(0)
    assert owner.gets() == watcher.gets() != b""


def test_modem_lines_are_notified_where_nobody_holds_the_port() -> None:
    desk = Desk()
    watcher = desk.looks_through_glass()
    desk.line.set_inputs(Signal.NONE, Signal.CTS)
    desk.passes(0)
    assert watcher.gets() == notify(0xA1)


def test_a_program_that_watches_is_told_nothing_in_band() -> None:
    desk = Desk(busy=TAKEOVER)
    desk.raw()
    watcher = desk.looks_through_glass()
    watcher.sends(b"hello")
    desk.raw()
    desk.unplug()
    desk.plug()
    watcher.gets()
    watcher.room = 0
    desk.device_sends(bytes(200_000))
    watcher.takes(float("inf"))
    assert not watcher.gets().strip(b"\0")


def test_watchers_are_bounded() -> None:
    desk = Desk(watchers=2)
    desk.looks()
    desk.looks(Session)
    third = desk.client(Session, only_watches=True)
    assert third.is_closed()
    fourth = desk.client_that_says_nothing()
    assert desk.port.owner is fourth.session


def test_there_may_be_none_at_all() -> None:
    desk = Desk(watchers=0, busy=TAKEOVER)
    old = desk.person()
    desk.raw()
    assert old.is_closed()
    refused = desk.client(Session, only_watches=True)
    assert refused.is_closed()


def test_a_telnet_watcher_that_closes_its_side_is_gone_and_a_plain_one_stays() -> None:
    desk = Desk()
    telnet, plain = desk.looks(), desk.looks(Session)
    telnet.ends_its_side()
    plain.ends_its_side()
    assert telnet.is_closed()
    desk.device_sends(b"data")
    assert plain.gets() == b"data"


def test_closing_the_port_ends_all_and_promotes_nobody() -> None:
    desk = Desk(busy=TAKEOVER)
    old, new, watcher = desk.person(), desk.raw(), desk.looks()
    desk.port.clients.close()
    assert old.is_closed()
    assert new.is_closed()
    assert watcher.is_closed()
    assert desk.port.owner is None


# ---- one that does not take what it is sent


def test_a_watcher_that_does_not_read_misses_bytes_and_is_told_how_many_where() -> None:
    desk = Desk()
    owner, watcher = desk.raw(), desk.looks()
    watcher.room = 0
    sent = bytes(range(128)) * 5000
    desk.device_sends(sent)
    same(owner.gets(), sent)
    assert desk.line.is_read()
    assert watcher.most_kept < 2 * HIGH_BYTES
    kept = watcher.most_kept
    watcher.takes(float("inf"))
    mark = says(f"{len(sent) - kept} bytes missed")
    desk.device_sends(b"live")
    same(watcher.gets(), sent[:kept] + mark + b"live")
    assert watcher.session.missed == len(sent) - kept


def test_the_owner_gets_each_piece_at_once_whatever_a_stuck_watcher_leaves() -> None:
    desk = Desk()
    owner, watcher = desk.raw(), desk.looks()
    watcher.room = 0
    for number in range(200):
        piece = bytes((number,)) * 4096
        desk.device_sends(piece)
        assert owner.gets() == piece
        assert desk.line.is_read()
        assert watcher.backlog() < 2 * HIGH_BYTES
    assert watcher.session.missed > 100 * 4096


def test_on_a_plain_connection_there_is_no_mark_and_the_count_is_there() -> None:
    desk = Desk()
    watcher = desk.looks(Session)
    watcher.room = 0
    desk.device_sends(bytes(300_000))
    watcher.takes(float("inf"))
    got = len(watcher.gets())
    assert watcher.session.missed == 300_000 - got > 0


def test_one_that_has_suspended_misses_bytes_and_holds_up_nobody() -> None:
    desk = Desk()
    owner, watcher = desk.agreed(), desk.looks_through_glass()
    watcher.sends(ask(Command.FLOWCONTROL_SUSPEND))
    sent = bytes(300_000)
    desk.device_sends(sent)
    same(owner.gets(), sent)
    assert not watcher.is_closed()
    watcher.sends(ask(Command.FLOWCONTROL_RESUME))
    got = len(watcher.gets())
    assert watcher.session.missed == 300_000 - got > 0
    desk.device_sends(b"live")
    assert watcher.gets() == b"live"


def test_an_owner_that_does_not_read_holds_the_line_and_watchers_miss_nothing() -> None:
    desk = Desk()
    owner, watcher = desk.raw(), desk.looks(Session)
    owner.room = 0
    desk.device_sends(bytes(100_000))
    assert not desk.line.is_read()
    owner.takes(float("inf"))
    desk.passes(1)
    same(watcher.gets(), owner.gets())
    assert watcher.session.missed == 0


def test_whoever_watches_is_kept_little_for_by_the_system() -> None:
    desk = Desk(busy=TAKEOVER)
    old = desk.person()
    assert not old.limited
    desk.raw()
    assert old.limited


def test_a_watcher_that_cannot_be_served_costs_itself_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk()
    owner, watcher = desk.raw(), desk.looks(Session)

    def fails(data: bytes) -> None:
        raise RuntimeError

    monkeypatch.setattr(watcher.session, "line_data", fails)
    desk.device_sends(b"data")
    assert owner.gets() == b"data"
    assert watcher.aborted
    assert desk.port.clients.watchers == []


def test_with_one_client_and_no_watcher_the_line_calls_it_directly() -> None:
    desk = Desk()
    owner, watcher = desk.raw(), desk.looks()
    watcher.goes()
    assert desk.port.hub.deliver == owner.session.line_data


def test_nothing_is_due_when_all_are_seated() -> None:
    desk = Desk(busy=Busy(wait=2))
    desk.raw()
    desk.looks(Session)
    desk.passes(1)
    assert desk.clock.pending() == 0
