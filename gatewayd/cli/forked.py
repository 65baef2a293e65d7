"""Work done in a fork of this process, so that what it takes is not in memory afterwards."""

from __future__ import annotations

import os
import sys
import traceback
from _pickle import dumps, loads
from collections.abc import Callable
from typing import TypeVar

from gatewayd.errors import SHORTAGES, GatewayError

T = TypeVar("T")


def forked(work: Callable[[], T]) -> T:
    """What `work` returns in a fork of this process, which must not have threads yet.

    Raises OSError when there is no process to be had, SystemExit as `work` does or with 1 when it
    failed and has told why, and GatewayError when it was killed.
    """
    reading, writing = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        os.close(reading)
        os.close(writing)
        raise
    if not pid:
        os.close(reading)
        os._exit(_child(work, writing))
    os.close(writing)
    with open(reading, "rb") as file:
        answer = file.read()
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        raise GatewayError(f"gatewayd: a process of ours was ended by signal {-code}")
    if code or not answer:
        raise SystemExit(code)
    found: T = loads(answer)
    return found


def _child(work: Callable[[], T], writing: int) -> int:
    """Do it and write it; return the exit status."""
    try:
        try:
            answer = dumps(work())
        finally:
            sys.stdout.flush()
        with open(writing, "wb") as file:
            file.write(answer)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        return 130
    except MemoryError:
        print("gatewayd: out of memory", file=sys.stderr, flush=True)
        return 1
    except BrokenPipeError:
        return 1
    except BaseException as error:  # noqa: BLE001 - told as the interpreter would, and never left
        if isinstance(error, OSError) and error.errno in SHORTAGES:
            print(f"gatewayd: {error.strerror}", file=sys.stderr, flush=True)
        else:
            traceback.print_exc()
        return 1
    return 0
