"""A line that streams both ways is told from a dialogue by what a wire can carry."""

from __future__ import annotations

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from gatewayd.line.api import Member
from gatewayd.port.traffic import FIRST_REST_S, LAST_REST_S, LASTING_S, Traffic
from tests.port.desk import Client, Desk

SPEED = 960.0
"""Bytes a second each way."""
LOOK = 0.1


class Line:
    """What passes over a line, and how it is judged."""

    def __init__(self) -> None:
        self.traffic = Traffic()
        self.now = 1000.0
        self.received = self.sent = 0.0
        self.passes(0, 0)

    def passes(self, received: float, sent: float, seconds: float = LOOK) -> bool:
        """So much of what the line can carry passes each way; whether it streams both ways."""
        self.now += seconds
        self.received += received * SPEED * seconds
        self.sent += sent * SPEED * seconds
        return self.traffic.look(self.now, int(self.received), int(self.sent), SPEED)


def test_what_is_busy_both_ways_streams() -> None:
    line = Line()
    assert line.passes(1, 1)
    assert line.passes(0.7, 0.7)
    assert line.passes(1, 0.2)
    assert not line.passes(0.5, 0.5)


def test_one_way_alone_does_not() -> None:
    line = Line()
    assert not any(line.passes(*way) for way in ((1, 0), (0, 1), (1, 0.2), (0.2, 1), (0, 0)))


def test_a_device_that_is_faster_than_a_wire_is_not_judged() -> None:
    line = Line()
    assert not line.passes(1.2, 1.2)
    assert not line.passes(20, 0.1)
    # What was kept up comes at once.
    assert line.passes(1, 1)
    assert line.passes(1.5, 1.5)
    assert not line.passes(2, 2)


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(1, 2000), st.floats(0, 0.05)), min_size=1, max_size=60
    ),
    st.floats(0.02, 2),
)
def test_no_dialogue_streams(turns: list[tuple[bool, int, float]], look: float) -> None:
    """Each waits until the other has said all, at the full speed of the line and at once or not."""
    ends = list(accumulate(size / SPEED + pause for _, size, pause in turns))
    traffic, now = Traffic(), 0.0
    traffic.look(now, 0, 0, SPEED)
    while now < ends[-1]:
        now += look
        passed = [0.0, 0.0]
        for (sends, size, pause), end in zip(turns, ends, strict=True):
            begins = end - pause - size / SPEED
            passed[sends] += max(0.0, min(size, (now - begins) * SPEED))
        # In whole bytes, of which there are twenty a look at least.
        assert not traffic.look(now, int(passed[0]), int(passed[1]), SPEED)


def test_what_ended_at_once_is_not_taken_for_a_stream_for_a_while_each_time_a_longer_one() -> None:
    line = Line()
    rest = FIRST_REST_S
    while rest < 4 * LAST_REST_S:
        assert line.passes(1, 1)
        assert not line.passes(0.4, 0.4)
        ended = line.now
        while not line.passes(1, 1):
            pass
        waited = line.now - ended
        assert min(rest, LAST_REST_S) <= waited <= min(rest, LAST_REST_S) + 2 * LOOK
        assert not line.passes(0.4, 0.4)
        line.now += 2 * LAST_REST_S
        line.passes(0, 0)
        rest *= 4


def test_a_stream_that_lasted_may_begin_again_at_once() -> None:
    line = Line()
    for _ in range(5):
        began = line.now
        while line.now < began + 2 * LASTING_S:
            assert line.passes(1, 1)
        assert not line.passes(0, 0)


def test_silence_and_a_clock_that_stands_still_are_no_stream() -> None:
    line = Line()
    assert not line.passes(0, 0)
    assert not line.passes(1, 1, 0)
    line.traffic.look(line.now, 0, 0, 0.0)
    assert not line.traffic.look(line.now + 1, 100, 100, 0.0)


class Place:
    """Where the line is read."""

    def add(self, fd: int, member: Member) -> bool:
        raise AssertionError(fd, member)

    def remove(self, fd: int) -> None:
        raise AssertionError(fd)


def both_ways(desk: Desk, client: Client, share: float) -> bool:
    """So much of what the line can carry passes each way."""
    data = b"x" * int(desk.line.settings().bytes_per_second * LOOK * share)
    client.sends(data)
    desk.device_sends(data)
    desk.passes(LOOK)
    return desk.port.line_streams_both_ways()


def test_a_port_streams_both_ways_while_its_client_and_its_device_do() -> None:
    desk = Desk()
    client = desk.raw()
    both_ways(desk, client, 1)
    assert both_ways(desk, client, 1)
    assert not both_ways(desk, client, 0.4)
    client.goes()
    desk.device_sends(b"x" * 1000)
    assert not desk.port.line_streams_both_ways()


def test_the_client_that_holds_the_port_is_read_where_its_line_is() -> None:
    desk = Desk()
    place = Place()
    desk.port.line_gathered(place)
    holder, watcher = desk.raw(), desk.looks()
    desk.port.line_gathered(place)
    assert [holder.place, watcher.place] == [place, None]
    desk.port.line_gathered(None)
    assert [holder.place, watcher.place] == [None, None]
    desk.unplug()
    assert not desk.port.line_streams_both_ways()
