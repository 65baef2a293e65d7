"""The driver of a simulated line: it may take its time for all but bytes, and fail."""

from __future__ import annotations

from collections.abc import Callable

from gatewayd.line.pending import Pending


class SimDriver:
    """Does at once what is asked of it, until it is told to `sleep`."""

    def __init__(self) -> None:
        self._slow = False
        self._calls_to_failure = -1
        self._begun: list[Pending] = []

    def sleep(self) -> None:
        """Take its time from now on."""
        self._slow = True

    def wake(self) -> None:
        """Do the next thing that was asked of it."""
        self._begun.pop(0).finish()

    def fail_call(self, number: int = 1) -> None:
        """Have the `number`-th call into the line from now on find the device gone."""
        self._calls_to_failure = number

    def fails(self) -> bool:
        """Whether this call is that one."""
        self._calls_to_failure = max(self._calls_to_failure - 1, -1)
        return not self._calls_to_failure

    @property
    def begun(self) -> int:
        """How many things were asked of it, and are not done."""
        return len(self._begun)

    def do(self, act: Callable[..., None], *args: object) -> Pending | None:
        """What a line asks of it."""
        if not self._slow:
            act(*args)
            return None
        pending = Pending()
        pending.then(lambda: act(*args))
        self._begun.append(pending)
        return pending

    def end(self) -> list[Pending]:
        """The device is gone; what is still to be finished."""
        begun, self._begun = self._begun, []
        return begun
