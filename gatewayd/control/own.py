"""Where `demo` and `serve`, gateways without a file, have their control socket, and how a command
finds the gateway it is to ask."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import tempfile
from typing import Final

from gatewayd.control import SYSTEM_PATH, standard_path
from gatewayd.errors import GatewayError

_LOOK: Final = "-look"


class SeveralRun(GatewayError):
    """More than one gateway of this user runs, and none that has a name for being asked."""


def own_path(command: str) -> str | None:
    """A path for the control socket of this process, which runs `gatewayd COMMAND`; None where
    there is no directory that is ours alone."""
    directory = _directory(make=True)
    return f"{directory}/{command}-{os.getpid()}" if directory else None


def running() -> list[str]:
    """The control sockets of the gateways that this user runs by `demo` or `serve`."""
    directory = _directory(make=False)
    if directory is None:
        return []
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return []
    paths = [f"{directory}/{name}" for name in names if not name.endswith(_LOOK)]
    return [path for path in paths if _answers(path)]


def find_path() -> str:
    """Where a command looks for a gateway: the service first, then one that this user runs.

    Raises SeveralRun when it cannot tell which is meant.
    """
    if os.path.exists(SYSTEM_PATH):
        return SYSTEM_PATH
    standard = standard_path()
    if standard and os.path.exists(standard):
        return standard
    found = running()
    if len(found) > 1:
        several = "\n".join(f"  --control {path}" for path in found)
        raise SeveralRun(f"several gateways run here; say which:\n{several}")
    return found[0] if found else standard or SYSTEM_PATH


def _directory(*, make: bool) -> str | None:
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    path = (
        f"{runtime}/gatewayd-own" if runtime else f"{tempfile.gettempdir()}/gatewayd-{os.getuid()}"
    )
    if make:
        with contextlib.suppress(OSError):
            os.mkdir(path, 0o700)
    try:
        found = os.lstat(path)
    except OSError:
        return None
    # In a directory that all may write to, somebody else may have been first.
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
    return path if ours else None


def _answers(path: str) -> bool:
    """Whether a gateway listens there. What a dead one left goes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except BlockingIOError:
            return True
        except ConnectionRefusedError:
            for name in (path, path + _LOOK):
                with contextlib.suppress(OSError):
                    os.unlink(name)
            return False
        except OSError:
            return False
    return True
