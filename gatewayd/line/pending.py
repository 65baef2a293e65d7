"""What a line has begun and not finished yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial


class Pending:
    """Something that ends later: done, refused, or given up because the device is gone or hangs.

    Whoever waits asks the line what has become of it.
    """

    __slots__ = ("_callbacks", "done")

    def __init__(self) -> None:
        self.done = False
        self._callbacks: list[Callable[[], None]] = []

    def then(self, callback: Callable[[], None]) -> None:
        """Call back when it is done; within the call if it is."""
        if self.done:
            callback()
        else:
            self._callbacks.append(callback)

    def finish(self) -> None:
        """It is done: call those who wait, in their order. Another time is nothing."""
        self.done = True
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()


def in_turn(steps: Iterator[Pending | None]) -> Pending | None:
    """Take step after step, each when what the one before has begun is done.

    Returns None when all are done already. What a step raises comes from here, or from `finish` of
    the pending step before it.
    """
    for step in steps:
        if step is not None and not step.done:
            whole = Pending()
            step.then(partial(_go_on, steps, whole))
            return whole
    return None


def _go_on(steps: Iterator[Pending | None], whole: Pending) -> None:
    try:
        rest = in_turn(steps)
    except BaseException:
        whole.finish()
        raise
    if rest is None:
        whole.finish()
    else:
        rest.then(whole.finish)
