"""The descriptors and threads of this process, and a look for those that a test leaves behind."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.until import PATIENCE


def open_descriptors() -> set[tuple[str, str]]:
    """Number and target of each open descriptor."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add((name, os.readlink(f"/proc/self/fd/{name}")))
        except FileNotFoundError:
            continue
    return found


def threads_end(before: set[threading.Thread]) -> None:
    """Wait until all have ended that are not of `before`: others in this process may go on."""
    while new := set(threading.enumerate()) - before:
        thread = new.pop()
        thread.join(PATIENCE)
        assert not thread.is_alive(), thread


@contextmanager
def none_left_open() -> Iterator[None]:
    """The block must close what it opens."""
    before = open_descriptors()
    yield
    gc.collect()
    assert open_descriptors() - before == set()
