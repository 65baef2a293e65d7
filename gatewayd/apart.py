"""A program of its own for a moment, for what is too large or too dangerous for the daemon."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import subprocess
import sys
from collections.abc import Sequence
from time import monotonic
from typing import Final

from gatewayd.typed import NamedTuple

MOST_GIVEN: Final = 65536
"""Bytes: what a pipe takes before anybody reads."""
_READ_BYTES: Final = 65536


class Done(NamedTuple):
    """How a program ended."""

    status: int
    """Its exit status; negative is the signal that ended it."""
    said: bytes
    complained: bytes
    """What it wrote on its standard error."""


def run(
    code: str, *arguments: str, given: bytes, patience: float, keep: Sequence[str] = ()
) -> Done:
    """Run `code` in an interpreter that finds the modules which we do, `given` (at most
    `MOST_GIVEN` bytes) being its standard input; blocks for at most `patience` seconds.

    Of the environment it has the variables of `keep`, of our descriptors none. Raises OSError when
    there is no process or no descriptor to be had, and TimeoutError.
    """
    # Ours may be found by other means than a path, such as a checkout that is installed in place.
    path = [*sys.path, os.path.dirname(os.path.dirname(__file__))]
    argv = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:] = {path!r}; {code}"]
    environment = {name: os.environ[name] for name in keep if name in os.environ}
    # Not `subprocess.PIPE`: when the second pipe cannot be had, the first one is never closed.
    pipes = [-1] * 6
    try:
        for at in (0, 2, 4):
            pipes[at : at + 2] = os.pipe()
        stdin, ours, said, stdout, complained, stderr = pipes
        # A user with many pipes gets small ones.
        os.set_blocking(ours, False)
        if given and os.write(ours, given) < len(given):
            raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))
        with subprocess.Popen(
            [*argv, *arguments], stdin=stdin, stdout=stdout, stderr=stderr, env=environment
        ) as process:
            try:
                for at in (0, 1, 3, 5):
                    os.close(pipes[at])
                    pipes[at] = -1
                texts = _read((said, complained), monotonic() + patience)
                return Done(process.wait(), *texts)
            finally:
                # Nothing to one that has ended.
                process.kill()
    finally:
        for fd in pipes:
            if fd >= 0:
                with contextlib.suppress(OSError):
                    os.close(fd)


def _read(fds: tuple[int, int], deadline: float) -> tuple[bytes, bytes]:
    """What comes of both until both have ended. Raises TimeoutError."""
    texts = {fd: bytearray() for fd in fds}
    waiting = select.poll()
    for fd in fds:
        waiting.register(fd, select.POLLIN)
    left = set(fds)
    while left:
        ready = waiting.poll(max(0.0, deadline - monotonic()) * 1000)
        if not ready:
            raise TimeoutError("it takes too long")
        for fd, _ in ready:
            data = os.read(fd, _READ_BYTES)
            texts[fd] += data
            if not data:
                waiting.unregister(fd)
                left.discard(fd)
    one, other = (bytes(texts[fd]) for fd in fds)
    return one, other
