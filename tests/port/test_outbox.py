"""The queue towards the line: order, drain barriers, and what becomes of it without a line."""

from __future__ import annotations

from functools import partial

import pytest

from gatewayd.line.api import Gathering
from gatewayd.line.model import LineSettings, Purge, Signal
from gatewayd.line.pending import Pending
from gatewayd.log import Happening
from gatewayd.port.outbox import ACTION_WEIGHT, AT_ONCE, Outbox, Urgent
from tests.sim.clock import FakeClock
from tests.sim.line import SimLine

SETTINGS = LineSettings(baudrate=9600, rtscts=True)
WINDOW = SETTINGS.unsent_limit
BYTE_S = 1 / SETTINGS.bytes_per_second


class Rig:
    """An outbox with a line that `stop` stops."""

    def __init__(self, *, line: bool = True) -> None:
        self.clock = FakeClock()
        self.discarded = 0
        self.rooms = 0
        self.seen: list[tuple[str, int]] = []
        """Actions as they ran, with the count of bytes that had left by then."""
        self.outbox = Outbox(self.clock, discarded=self._discard, room=self._room)
        if line:
            self.plug()

    def plug(self, begun: Pending | None = None) -> None:
        self.line = SimLine(self.clock, settings=SETTINGS)
        self.line.events = self
        self.clock.advance(0)
        self.outbox.attach(self.line, begun)

    def stop(self) -> None:
        self.line.set_inputs(Signal.NONE, Signal.CTS)

    def go(self) -> None:
        self.line.set_inputs(Signal.CTS)

    def act(self, name: str, seconds: float = 0.0) -> None:
        def action() -> float:
            self.seen.append((name, len(self.line.sent)))
            return seconds

        self.outbox.then(action)

    def _discard(self, count: int) -> None:
        self.discarded += count

    def _room(self) -> None:
        self.rooms += 1

    # LineEvents

    def line_data(self, data: bytes) -> None:
        raise AssertionError(data)

    def line_writable(self) -> None:
        self.outbox.line_writable()

    def line_signals(self, signals: Signal) -> None:
        raise AssertionError(signals)

    def line_errors(self, errors: object) -> None:
        raise AssertionError(errors)

    def line_refused(self, what: str, error: OSError) -> None:
        raise AssertionError(what)

    def line_streams_both_ways(self) -> bool:
        raise AssertionError

    def line_gathered(self, place: Gathering | None) -> None:
        raise AssertionError(place)

    def line_lost(self, cause: OSError | None) -> None:
        self.outbox.detach()


def test_bytes_that_the_line_takes_never_wait() -> None:
    rig = Rig()
    assert rig.outbox.write(b"x" * WINDOW)
    assert rig.outbox.empty
    assert rig.outbox.taken == WINDOW


def test_what_the_line_does_not_take_waits_and_follows_in_order() -> None:
    rig = Rig()
    data = bytes(range(256)) * 8
    assert not rig.outbox.write(data[:1000])
    assert not rig.outbox.write(data[1000:])
    assert rig.outbox.waiting == len(data) - WINDOW
    rig.clock.advance(len(data) * BYTE_S)
    assert rig.line.sent == data
    assert rig.outbox.empty
    assert rig.rooms
    assert rig.outbox.taken == len(data)


def test_an_action_on_an_idle_line_runs_within_the_call() -> None:
    rig = Rig()
    rig.act("now")
    assert rig.seen == [("now", 0)]


def test_an_action_waits_until_the_bytes_before_it_have_left_and_holds_those_behind_it() -> None:
    rig = Rig()
    rig.outbox.write(b"before")
    rig.act("between")
    rig.outbox.write(b"behind")
    assert rig.seen == []
    rig.clock.advance(1)
    assert rig.seen == [("between", 6)]
    assert rig.line.sent == b"beforebehind"


def test_actions_run_in_their_order() -> None:
    rig = Rig()
    rig.outbox.write(b"x")
    for name in "abc":
        rig.act(name)
    rig.outbox.write(b"y")
    rig.act("d")
    rig.clock.advance(1)
    assert rig.seen == [("a", 1), ("b", 1), ("c", 1), ("d", 2)]


def test_others_have_their_turn_between_many_actions() -> None:
    rig = Rig()

    def first() -> float:
        rig.clock.call_later(0.1, lambda: rig.seen.append(("other", 0)))
        return 0.1

    rig.outbox.then(first)
    for number in range(3 * AT_ONCE):
        rig.act(str(number))
    rig.clock.advance(0.1)
    names = [name for name, _ in rig.seen]
    assert names.index("other") <= AT_ONCE
    names.remove("other")
    assert names == [str(number) for number in range(3 * AT_ONCE)]


def test_an_action_may_ask_for_a_pause() -> None:
    rig = Rig()
    rig.act("pause", 0.25)
    rig.act("after")
    rig.outbox.write(b"x")
    rig.clock.advance(0.2)
    assert rig.seen == [("pause", 0)]
    assert rig.line.sent == b""
    rig.clock.advance(0.1)
    assert rig.seen == [("pause", 0), ("after", 0)]
    assert rig.line.sent == b"x"


def test_an_action_may_queue_another_one() -> None:
    rig = Rig()
    rig.outbox.write(b"x")
    rig.outbox.then(lambda: rig.act("inner"))
    rig.act("outer")
    rig.clock.advance(1)
    assert rig.seen == [("outer", 1), ("inner", 1)]


def test_an_action_that_fails_is_logged_and_stops_nothing_behind_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rig = Rig()
    rig.outbox.write(b"x")

    def fails() -> None:
        raise ZeroDivisionError

    rig.outbox.then(fails)
    rig.act("next")
    rig.outbox.write(b"y")
    rig.clock.advance(1)
    assert rig.seen == [("next", 1)]
    assert rig.line.sent == b"xy"
    (record,) = caplog.records
    assert vars(record)["happening"] is Happening.FAULT


def test_an_action_is_taken_back_as_long_as_it_waits() -> None:
    rig = Rig()
    rig.stop()
    rig.outbox.write(b"x")
    rig.act("first")

    def second() -> None:
        rig.seen.append(("second", 0))

    rig.outbox.then(second)
    rig.outbox.withdraw(second)
    rig.outbox.withdraw(second)
    assert rig.outbox.load == ACTION_WEIGHT
    rig.go()
    rig.clock.advance(1)
    assert rig.seen == [("first", 1)]


def test_the_load_counts_bytes_and_actions_by_their_weight() -> None:
    rig = Rig()
    rig.stop()
    rig.outbox.write(b"x" * (WINDOW + 10))
    rig.act("one")
    rig.outbox.then(lambda: None, weight=1000)
    assert rig.outbox.load == 10 + ACTION_WEIGHT + 1000
    rig.go()
    rig.clock.advance(1)
    assert rig.outbox.load == 0


def test_dropped_bytes_are_counted_and_the_actions_stay() -> None:
    rig = Rig()
    rig.stop()
    rig.outbox.write(b"x" * (WINDOW + 100))
    rig.act("kept")
    rig.outbox.write(b"y" * 50)
    assert rig.outbox.drop_bytes() == 150
    assert rig.discarded == 150
    assert rig.outbox.waiting == 0
    rig.line.purge(Purge.TX)
    rig.clock.advance(0)
    assert rig.seen == [("kept", 0)]
    assert rig.outbox.empty


def test_urgent_bytes_can_be_spared_and_keep_their_place() -> None:
    rig = Rig()
    rig.stop()
    rig.outbox.write(b"x" * WINDOW)
    rig.outbox.write(Urgent(b"1"))
    rig.outbox.write(b"y" * 100)
    rig.act("between")
    rig.outbox.write(Urgent(b"2"))
    rig.outbox.write(b"z" * 100)
    assert rig.outbox.drop_bytes(spare_urgent=True) == 200
    assert rig.outbox.waiting == 2
    rig.go()
    rig.clock.advance(1)
    assert rig.line.sent == b"x" * WINDOW + b"12"
    assert rig.seen == [("between", WINDOW + 1)]
    assert rig.outbox.drop_bytes() == 0


def test_only_what_is_behind_an_action_can_be_dropped() -> None:
    rig = Rig()
    mark = partial(rig.seen.append, ("mark", 0))
    rig.stop()
    rig.outbox.write(b"x" * WINDOW + b"first")
    rig.outbox.then(mark)
    rig.outbox.write(b"second")
    rig.outbox.then(mark)
    rig.outbox.write(b"third")
    assert rig.outbox.drop_bytes(behind=mark) == len(b"third")
    rig.outbox.write(b"fourth")
    rig.go()
    rig.clock.advance(1)
    assert rig.line.sent == b"x" * WINDOW + b"firstsecondfourth"
    rig.stop()
    rig.outbox.write(b"x" * WINDOW + b"fifth")
    assert rig.outbox.drop_bytes(behind=mark) == len(b"fifth")


def test_what_a_line_has_had_before_is_counted_once_also_when_what_is_behind_is_dropped() -> None:
    rig = Rig()
    mark = partial(rig.seen.append, ("mark", 0))
    rig.stop()
    rig.outbox.write(b"x" * WINDOW)
    rig.outbox.resume(b"known, new", len(b"known, "))
    rig.outbox.then(mark)
    rig.outbox.write(b"dropped")
    rig.outbox.drop_bytes(behind=mark)
    rig.go()
    rig.clock.advance(1)
    assert rig.outbox.taken == WINDOW + len(b"new")


def test_urgent_bytes_are_dropped_with_the_others_otherwise() -> None:
    rig = Rig()
    rig.stop()
    rig.outbox.write(b"x" * WINDOW)
    rig.outbox.write(Urgent(b"1"))
    assert rig.outbox.drop_bytes() == 1


def test_dropping_nothing_makes_no_room() -> None:
    rig = Rig()
    assert rig.outbox.drop_bytes() == 0
    assert rig.rooms == 0


def test_without_a_line_bytes_are_counted_and_actions_run() -> None:
    rig = Rig(line=False)
    assert rig.outbox.write(b"x" * 10)
    ran: list[str] = []
    rig.outbox.then(lambda: ran.append("now"))
    assert rig.discarded == 10
    assert ran == ["now"]


def test_when_the_line_goes_its_bytes_are_counted_and_its_actions_run() -> None:
    rig = Rig()
    rig.stop()
    rig.outbox.write(b"x" * (WINDOW + 100))
    rig.act("last")
    rig.line.unplug()
    rig.clock.advance(0)
    assert rig.discarded == 100
    assert rig.seen == [("last", 0)]
    assert rig.outbox.empty


def test_a_pause_does_not_outlive_the_line() -> None:
    rig = Rig()
    rig.act("pause", 0.25)
    rig.act("after")
    rig.line.unplug()
    rig.clock.advance(0)
    assert rig.seen == [("pause", 0), ("after", 0)]


def test_a_drain_of_the_line_before_says_nothing_about_the_next_one() -> None:
    rig = Rig()
    rig.stop()
    rig.outbox.write(b"x")
    first = rig.line
    rig.act("first")
    rig.outbox.detach()
    rig.plug()
    rig.stop()
    rig.outbox.write(b"y")
    rig.act("second")
    first.purge(Purge.TX)
    rig.clock.advance(0)
    assert rig.seen == [("first", 0)]
    rig.go()
    rig.clock.advance(1)
    assert rig.seen == [("first", 0), ("second", 1)]


def test_waiting_bytes_can_be_given_away_unless_actions_wait() -> None:
    rig = Rig()
    rig.stop()
    rig.outbox.write(b"x" * (WINDOW + 3))
    rig.outbox.write(b"yz")
    assert rig.outbox.give_away({}) == ([b"xxx", b"yz"], True)
    rig.act("only here")
    rig.outbox.write(b"lost")
    assert rig.discarded == 0
    assert rig.outbox.give_away({}) == ([b"xxx", b"yz"], False)
    assert rig.discarded == len(b"lost")


def test_actions_that_a_successor_knows_are_given_away_by_name() -> None:
    def known() -> None:
        """Nothing."""

    rig = Rig()
    rig.stop()
    rig.outbox.write(b"x" * (WINDOW + 3))
    rig.outbox.then(known)
    rig.outbox.write(b"yz")
    assert rig.outbox.give_away({known: "known"}) == ([b"xxx", "known", b"yz"], True)


def test_nothing_is_given_away_in_a_pause() -> None:
    rig = Rig()
    rig.act("pause", 0.25)
    assert rig.outbox.give_away({}) == ([], False)
    assert not rig.outbox.empty


@pytest.mark.parametrize("size", [0, 1, WINDOW, WINDOW + 1, 10 * WINDOW])
def test_the_count_of_what_waits_is_right_at_each_moment(size: int) -> None:
    rig = Rig()
    rig.outbox.write(bytes(size))
    while rig.outbox.waiting:
        assert rig.outbox.taken + rig.outbox.waiting == size
        rig.clock.advance(0.01)
    assert rig.outbox.taken == size


# ---- what a driver takes its time for


def test_the_queue_stands_still_until_what_an_action_began_is_done() -> None:
    rig = Rig()
    begun = Pending()
    rig.outbox.then(lambda: begun)
    rig.outbox.write(b"after")
    rig.act("last")
    assert rig.outbox.give_away({}) == ([], False)
    rig.clock.advance(1)
    assert rig.line.sent == b""
    assert rig.seen == []
    begun.finish()
    rig.clock.advance(1)
    assert rig.line.sent == b"after"
    assert rig.seen == [("last", 5)]
    assert rig.outbox.empty


def test_a_write_behind_an_action_that_is_begun_waits_though_nothing_is_queued() -> None:
    rig = Rig()
    begun = Pending()
    rig.outbox.then(lambda: begun)
    assert not rig.outbox.write(b"after")
    assert not rig.outbox.empty
    begun.finish()
    rig.clock.advance(1)
    assert rig.line.sent == b"after"


def test_what_is_done_already_holds_up_nothing() -> None:
    rig = Rig()
    done = Pending()
    done.finish()
    rig.outbox.then(lambda: done)
    assert rig.outbox.write(b"x")


def test_a_line_that_goes_leaves_nothing_standing_and_its_end_moves_nobody() -> None:
    rig = Rig()
    old, new = Pending(), Pending()
    rig.outbox.then(lambda: old)
    rig.act("behind")
    rig.outbox.detach()
    assert rig.seen == [("behind", 0)]
    rig.plug()
    rig.outbox.then(lambda: new)
    rig.act("of the new line")
    old.finish()
    assert len(rig.seen) == 1
    new.finish()
    assert len(rig.seen) == 2


def test_a_line_takes_nothing_before_what_it_has_begun_is_done() -> None:
    rig = Rig(line=False)
    begun = Pending()
    rig.plug(begun)
    rig.outbox.write(b"first")
    rig.act("after")
    assert rig.seen == []
    assert rig.line.unsent() == 0
    begun.finish()
    rig.clock.advance(1)
    assert rig.line.sent == b"first"
    assert rig.seen == [("after", 5)]


def test_a_line_that_comes_while_the_outbox_stands_still_waits_for_both() -> None:
    rig = Rig()
    rig.act("hung up", 1.0)
    rig.act("next")
    begun = Pending()
    rig.plug(begun)
    rig.clock.advance(2)
    assert [name for name, _ in rig.seen] == ["hung up"]
    begun.finish()
    assert [name for name, _ in rig.seen] == ["hung up", "next"]
