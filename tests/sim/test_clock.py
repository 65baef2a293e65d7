"""FakeClock."""

from __future__ import annotations

from tests.sim.clock import FakeClock


def test_timers_run_in_order_at_their_own_time() -> None:
    clock = FakeClock()
    ran: list[tuple[str, float]] = []

    def note(name: str) -> None:
        ran.append((name, clock.time()))

    clock.call_later(2.0, note, "late")
    clock.call_later(1.0, note, "first")
    clock.call_later(1.0, note, "second")
    clock.call_later(3.0, note, "not yet")
    clock.advance(2.5)
    assert ran == [("first", 1.0), ("second", 1.0), ("late", 2.0)]
    assert clock.time() == 2.5
    assert clock.pending() == 1


def test_a_timer_set_by_a_timer_runs_in_the_same_advance() -> None:
    clock = FakeClock()
    ran: list[float] = []

    def again() -> None:
        ran.append(clock.time())
        if len(ran) < 4:
            clock.call_later(0.25, again)

    clock.call_later(0, again)
    clock.advance(0.5)
    assert ran == [0.0, 0.25, 0.5]


def test_a_cancelled_timer_does_not_run() -> None:
    clock = FakeClock()
    ran: list[int] = []
    timer = clock.call_later(1, ran.append, 1)
    timer.cancel()
    clock.advance(2)
    assert ran == []
    assert clock.pending() == 0
