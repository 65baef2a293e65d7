"""A time limit on every test, its fixtures included: what hangs fails, and the others go on."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Generator, Iterator
from types import FrameType
from typing import Final

import pytest
from hypothesis import settings

# An example may take long on a busy machine; the limit is that of the test.
# The same examples each time, so that a change is blamed for what it broke and for nothing else;
# `pytest --hypothesis-profile explore` looks for what no example has shown yet.
settings.register_profile("any machine", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile("any machine")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As in what a shell has put into the background: no program of a test would know Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)

LIMIT_S: Final = 120.0
LIMITS_S: Final = {"interop": 400.0, "vm": 2400.0}
"""By marker: foreign suites run as one test, and a machine may have to be built first."""


@contextlib.contextmanager
def _limited(item: pytest.Item, what: str) -> Iterator[None]:
    seconds = max(
        (LIMITS_S[one] for one in LIMITS_S if item.get_closest_marker(one)), default=LIMIT_S
    )
    own = item.get_closest_marker("limit")
    seconds = seconds if own is None else float(own.args[0])

    def over(number: int, frame: FrameType | None) -> None:
        pytest.fail(f"the {what} is not over after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, over)
    # Again and again: the first may hit where nothing gets through, such as a finalizer.
    signal.setitimer(signal.ITIMER_REAL, seconds, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """A fixture may hang as well."""
    with _limited(item, "setup"):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """The test itself."""
    with _limited(item, "test"):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """And what it leaves behind."""
    with _limited(item, "teardown"):
        return (yield)
