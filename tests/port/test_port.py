"""Who holds the line, and what becomes of it between sessions."""

from __future__ import annotations

import logging

import pytest

from gatewayd.comport.wire import Command
from gatewayd.config.schema import BetweenSessions
from gatewayd.line.model import LineSettings, Signal, SignalPolicies, SignalPolicy
from gatewayd.log import Happening
from gatewayd.port.arbiter import YOUNG_S
from gatewayd.port.chronicle import FOLD_S
from gatewayd.port.phase import Cue, Phase
from gatewayd.port.session import Session
from gatewayd.telnet.constants import Option
from gatewayd.value import replace
from tests.logged import happenings
from tests.port.desk import FAST, Client, Desk
from tests.port.wire import answer, ask, notify, will

HELD = b"\r\npsu1: in use by 192.0.2.1:4001 since 2030-01-02 03:04:05 UTC\r\n"


def told(client: Client) -> list[bytes]:
    """The lines of text that a client got, behind Telnet's bytes."""
    return [line for line in client.gets().split(b"\r\n") if line.startswith(b"psu1")]


# ---- a second client


def test_a_second_telnet_client_is_told_who_holds_the_port_and_since_when_and_closed() -> None:
    desk = Desk()
    holder = desk.raw()
    second = desk.client_that_says_nothing()
    assert second.gets() == HELD
    assert second.is_closed()
    assert not holder.is_closed()
    assert desk.port.counters.refused == 1


def test_the_holder_notices_nothing_of_a_second_client() -> None:
    desk = Desk()
    holder = desk.agreed()
    desk.telnet()
    desk.raw()
    desk.line.receive(b"data")
    holder.sends(b"data")
    desk.passes(1)
    assert holder.gets() == b"data"
    assert desk.line.sent == b"data"


def test_the_next_client_gets_the_port_when_the_holder_is_gone() -> None:
    desk = Desk()
    desk.raw().goes()
    second = desk.raw()
    second.sends(b"mine now")
    desk.passes(1)
    assert desk.line.sent == b"mine now"
    assert desk.port.counters.sessions == 2


def test_takeover_lets_the_newcomer_in_and_tells_both() -> None:
    desk = Desk(takeover=True)
    first = desk.agreed()
    second = desk.client_that_says_nothing()
    assert told(first) == [b"psu1: taken over by 192.0.2.2:4002"]
    assert first.is_closed()
    assert told(second) == [b"psu1: taken over from 192.0.2.1:4001"]
    assert not second.is_closed()
    desk.line.receive(b"data")
    desk.passes(0)
    assert second.gets() == b"data"
    assert first.gets() == b""


def test_takeover_tells_nothing_on_the_raw_face() -> None:
    desk = Desk(takeover=True)
    first = desk.raw()
    second = desk.raw()
    assert (first.gets(), second.gets()) == (b"", b"")
    assert first.is_closed()
    assert not second.is_closed()


def test_takeover_ends_what_the_holder_has_suspended_and_slowed() -> None:
    desk = Desk(takeover=True)
    first = desk.agreed()
    first.room = 0
    desk.device_sends(bytes(100_000))
    assert not desk.line.is_read()
    desk.raw()
    assert desk.line.is_read()


def test_what_the_holder_sent_before_a_takeover_goes_to_the_line_first() -> None:
    desk = Desk(takeover=True)
    first = desk.agreed()
    desk.stop_line()
    first.sends(b"first" * 1000)
    second = desk.raw()
    second.sends(b"second")
    desk.let_line_go()
    desk.passes(1)
    assert desk.line.sent == b"first" * 1000 + b"second"


def test_who_comes_and_goes_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gatewayd")
    desk = Desk(takeover=True)
    desk.raw()
    desk.raw().goes()
    assert happenings(caplog) == [
        Happening.SESSION_OPENED,
        Happening.SESSION_TAKEN_OVER,
        Happening.SESSION_CLOSED,
        Happening.SESSION_OPENED,
        Happening.SESSION_CLOSED,
    ]
    assert "in, 0 out" in caplog.messages[-1]


def test_a_refusal_is_logged_with_its_reason_and_repeats_of_a_host_are_one_entry(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "gatewayd")
    desk = Desk()
    desk.raw()
    for _ in range(300):
        desk.client(Session, host="192.0.2.77")
    desk.client(Session, host="192.0.2.78")
    refused = [text for text in caplog.messages if "refused" in text]
    assert len(refused) == 2
    assert "in use by 192.0.2.1:4001" in refused[0]
    desk.passes(FOLD_S)
    assert caplog.messages[-1] == "299 more clients of 192.0.2.77 refused"
    desk.client(Session, host="192.0.2.77")
    assert "in use by" in caplog.messages[-1]
    assert desk.port.counters.refused == 302


# ---- a device that is not there


def test_a_client_of_a_missing_device_is_told_on_telnet_and_closed_on_raw() -> None:
    desk = Desk(plugged=False)
    desk.tries()
    desk.port.move(Cue.NOT_THERE, "no such device")
    telnet = desk.client_that_says_nothing()
    raw = desk.raw()
    assert told(telnet) == [b"psu1: device is absent, no such device"]
    assert raw.gets() == b""
    assert telnet.is_closed()
    assert raw.is_closed()


@pytest.mark.parametrize(
    ("cue", "phase"), [(Cue.HELD, Phase.BUSY), (Cue.REFUSED, Phase.FAILED)], ids=["busy", "failed"]
)
def test_the_reason_is_told_as_it_is(cue: Cue, phase: Phase) -> None:
    desk = Desk(plugged=False)
    desk.tries()
    desk.port.move(cue, "because of that")
    assert desk.port.phase is phase
    text = f"psu1: device is {phase.value}, because of that".encode()
    assert told(desk.client_that_says_nothing()) == [text]


def test_clients_that_come_while_the_device_opens_wait_and_are_not_read() -> None:
    desk = Desk(plugged=False)
    desk.tries()
    client = desk.client_that_says_nothing()
    assert client.gets() == b""
    assert not client.is_read()
    desk.opens()
    assert client.is_read()
    client.sends(will(Option.COM_PORT))
    assert client.gets().endswith(notify(0xB0))


def test_of_two_that_waited_the_first_gets_the_port() -> None:
    desk = Desk(plugged=False)
    desk.tries()
    first, second = desk.raw(), desk.telnet()
    desk.opens()
    desk.passes(YOUNG_S)
    assert not first.is_closed()
    assert second.is_closed()
    assert told(second) == [b"psu1: in use by 192.0.2.1:4001 since 2030-01-02 03:04:05 UTC"]


def test_of_a_port_that_is_closed_nobody_gets_the_line_and_all_are_sent_away() -> None:
    desk = Desk()
    owner = desk.raw()
    owner.sends(b"last\n")
    owner.ends_its_side()
    waiting = desk.raw()
    assert not waiting.is_closed()
    desk.port.clients.close()
    desk.passes(YOUNG_S)
    assert owner.is_closed()
    assert waiting.is_closed()
    assert desk.port.owner is None
    assert not waiting.is_read()
    assert desk.line.sent == b"last\n"


def test_those_who_waited_are_told_when_the_device_cannot_be_opened() -> None:
    desk = Desk(plugged=False)
    desk.tries()
    client = desk.telnet()
    desk.port.move(Cue.REFUSED, "permission denied")
    assert told(client) == [b"psu1: device is failed, permission denied"]
    assert client.is_closed()


def test_one_who_waited_and_went_is_forgotten() -> None:
    desk = Desk(plugged=False)
    desk.tries()
    desk.raw().goes()
    second = desk.raw()
    desk.opens()
    assert desk.port.owner is second.session


# ---- between sessions


def test_the_configured_settings_come_back_between_sessions() -> None:
    desk = Desk()
    client = desk.agreed()
    client.sends(b"x" * 100 + ask(Command.SET_BAUDRATE, 1200) + b"y")
    desk.passes(0)
    client.goes()
    assert str(desk.line.settings()) == str(FAST)
    desk.passes(1)
    assert [str(one) for one in desk.line.configured] == ["115200 8N1"]
    assert desk.line.sent == b"x" * 100 + b"y"


def test_settings_come_back_after_the_last_byte_of_the_session_has_left() -> None:
    desk = Desk()
    client = desk.agreed()
    client.sends(ask(Command.SET_BAUDRATE, 1200) + b"y" * 12)
    client.goes()
    assert desk.line.settings().baudrate == 1200
    desk.passes(0.05)
    assert desk.line.settings().baudrate == 1200
    desk.passes(0.1)
    assert desk.line.settings() == FAST
    assert desk.line.sent == b"y" * 12


def test_between_sessions_keep_leaves_them() -> None:
    desk = Desk(between_sessions=BetweenSessions.KEEP)
    client = desk.agreed()
    client.sends(ask(Command.SET_BAUDRATE, 1200))
    client.goes()
    desk.passes(1)
    assert desk.line.settings().baudrate == 1200


def test_what_is_kept_survives_a_replug() -> None:
    desk = Desk(between_sessions=BetweenSessions.KEEP)
    client = desk.agreed()
    client.sends(ask(Command.SET_BAUDRATE, 1200))
    client.goes()
    desk.unplug()
    assert desk.plug().settings().baudrate == 1200


def test_a_next_session_is_not_set_back_by_the_end_of_the_one_before() -> None:
    desk = Desk()
    first = desk.agreed()
    desk.stop_line()
    first.sends(b"x")
    first.goes()
    second = desk.agreed()
    second.sends(ask(Command.SET_BAUDRATE, 1200))
    desk.let_line_go()
    desk.passes(1)
    assert second.gets() == answer(Command.SET_BAUDRATE, 1200)
    assert desk.line.settings().baudrate == 1200


def test_bytes_that_come_between_sessions_are_counted_and_not_kept() -> None:
    desk = Desk()
    desk.line.receive(b"nobody is there")
    desk.passes(1)
    client = desk.raw()
    assert client.gets() == b""
    assert desk.port.counters.discarded_from_device == len(b"nobody is there")


# ---- new settings in force


def test_new_line_settings_apply_live() -> None:
    desk = Desk()
    client = desk.raw()
    client.sends(b"x" * 100)
    wanted = LineSettings(baudrate=1200)
    desk.port.reconfigure(replace(desk.port.config, line=wanted))
    assert desk.line.settings() == FAST
    desk.passes(1)
    assert desk.line.settings() == wanted
    assert not client.is_closed()
    assert desk.port.settling.window == 256


def test_new_line_settings_do_not_take_a_client_by_surprise() -> None:
    desk = Desk()
    client = desk.agreed()
    client.sends(ask(Command.SET_BAUDRATE, 19200))
    wanted = LineSettings(baudrate=1200)
    desk.port.reconfigure(replace(desk.port.config, line=wanted))
    assert desk.line.settings().baudrate == 19200
    client.goes()
    assert desk.line.settings() == wanted


@pytest.mark.parametrize("reloads", [1, 2])
@pytest.mark.parametrize("asks", [True, False])
def test_what_a_client_has_asked_for_before_new_line_settings_stays(
    reloads: int, asks: bool
) -> None:
    desk = Desk()
    client = desk.agreed()
    desk.stop_line()
    client.sends(b"x" * 100 + (ask(Command.SET_BAUDRATE, 9600) if asks else b""))
    for number in range(reloads):
        line = LineSettings(baudrate=1200 << number)
        desk.port.reconfigure(replace(desk.port.config, line=line))
    desk.let_line_go()
    desk.passes(1)
    assert desk.line.settings().baudrate == (9600 if asks else desk.port.config.line.baudrate)
    assert client.gets() == (answer(Command.SET_BAUDRATE, 9600) if asks else b"")
    client.goes()
    desk.passes(1)
    assert desk.line.settings() == desk.port.config.line


def test_new_line_settings_that_wait_for_bytes_are_given_to_another_process() -> None:
    desk = Desk()
    desk.stop_line()
    client = desk.raw()
    client.sends(b"x" * 10000)
    desk.port.reconfigure(replace(desk.port.config, line=LineSettings(baudrate=1200)))
    given, complete = desk.port.clients.give_away()
    assert given[-1] == {"do": "apply_file"}
    assert complete


def test_new_line_settings_wait_for_a_device_that_is_away() -> None:
    desk = Desk(plugged=False)
    wanted = LineSettings(baudrate=1200)
    desk.port.reconfigure(replace(desk.port.config, line=wanted))
    assert desk.plug().settings() == wanted


@pytest.mark.parametrize(
    ("policies", "outputs"),
    [
        (SignalPolicies(dtr=SignalPolicy.OFF), Signal.RTS),
        (SignalPolicies(rts=SignalPolicy.OFF), Signal.DTR),
        (SignalPolicies(dtr=SignalPolicy.KEEP), Signal.DTR | Signal.RTS),
    ],
    ids=["dtr off", "rts off", "keep"],
)
def test_new_policies_for_dtr_and_rts_apply_live(policies: SignalPolicies, outputs: Signal) -> None:
    desk = Desk()
    desk.port.reconfigure(replace(desk.port.config, signals=policies))
    assert desk.line.signals() & (Signal.DTR | Signal.RTS) == outputs
    desk.port.reconfigure(
        replace(desk.port.config, signals=SignalPolicies(SignalPolicy.ON, SignalPolicy.ON))
    )
    assert desk.line.signals() & (Signal.DTR | Signal.RTS) == Signal.DTR | Signal.RTS


# ---- hand-over


def test_a_port_goes_on_counting_in_another_process() -> None:
    desk = Desk()
    client = desk.raw()
    client.sends(b"12345")
    desk.line.receive(b"123")
    desk.passes(1)
    heir = Desk(plugged=False)
    heir.port.restore(desk.port.snapshot(), LineSettings(baudrate=1200), held=True)
    assert vars(heir.port.counters) == vars(desk.port.counters)
    assert heir.port.outbox.taken == 5
    assert heir.plug().settings().baudrate == 1200
