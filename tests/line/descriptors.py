"""The descriptors of this process, and a look for those that a test leaves open."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager


def open_descriptors() -> set[tuple[str, str]]:
    """Number and target of each open descriptor."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add((name, os.readlink(f"/proc/self/fd/{name}")))
        except FileNotFoundError:
            continue
    return found


@contextmanager
def none_left_open() -> Iterator[None]:
    """The block must close what it opens."""
    before = open_descriptors()
    yield
    gc.collect()
    assert open_descriptors() - before == set()
