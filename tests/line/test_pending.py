"""What is begun and not finished: who is told, and steps that wait for each other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gatewayd.line.pending import Pending, in_turn


def test_all_are_told_once_in_their_order_and_who_comes_late_at_once() -> None:
    pending = Pending()
    told: list[int] = []
    pending.then(lambda: told.append(1))
    pending.then(lambda: told.append(2))
    assert (pending.done, told) == (False, [])
    pending.finish()
    assert (pending.done, told) == (True, [1, 2])
    pending.finish()
    pending.then(lambda: told.append(3))
    assert told == [1, 2, 3]


def test_steps_that_are_done_at_once_leave_nothing_pending() -> None:
    done = Pending()
    done.finish()
    assert in_turn(iter([None, done, None])) is None


def test_each_step_is_taken_when_the_one_before_is_done() -> None:
    first, second = Pending(), Pending()
    taken: list[str] = []

    def steps() -> Iterator[Pending | None]:
        taken.append("first")
        yield first
        taken.append("nothing to wait for")
        yield None
        taken.append("second")
        yield second
        taken.append("end")

    whole = in_turn(steps())
    assert whole is not None
    assert taken == ["first"]
    first.finish()
    assert taken == ["first", "nothing to wait for", "second"]
    assert not whole.done
    second.finish()
    assert taken[-1] == "end"
    assert whole.done


def test_a_step_that_fails_ends_the_whole() -> None:
    first = Pending()

    def steps() -> Iterator[Pending | None]:
        yield first
        raise ValueError("no")

    whole = in_turn(steps())
    assert whole is not None
    with pytest.raises(ValueError, match="no"):
        first.finish()
    assert whole.done
