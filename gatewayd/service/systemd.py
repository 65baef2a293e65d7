"""Talking to the service manager: readiness, the watchdog, the descriptor store, socket activation.

See sd_notify(3), sd_listen_fds(3) and systemd.service(5). With systemd-python the calls go through
it; without, a few lines here speak the same protocols. Outside systemd nothing here does anything.
"""

from __future__ import annotations

import array
import importlib
import os
import socket
import time
from collections.abc import Mapping, Sequence
from types import ModuleType

FIRST_FD = 3
"""The first descriptor that the service manager passes."""
FDS_PER_MESSAGE = 253
"""What one message on a unix socket can carry (SCM_MAX_FD of Linux)."""
FDNAME_MAX = 255
"""The longest FDNAME= that systemd takes, in characters."""


def under_systemd() -> bool:
    """Whether a service manager started this process and wants to hear from it."""
    return bool(os.environ.get("NOTIFY_SOCKET"))


def notify(**fields: str | int) -> bool:
    """Tell the service manager `fields`, by sd_notify(3)'s names: `notify(READY=1, STATUS="...")`.

    RELOADING is sent with the MONOTONIC_USEC that belongs to it. A line break in a value would
    start another field and becomes a space. Returns whether the manager was told.
    """
    if "RELOADING" in fields:
        fields.setdefault("MONOTONIC_USEC", time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)
    return _send(fields, ())


def store(name: str, *fds: int) -> bool:
    """Leave copies of `fds` in the descriptor store; after a restart `listen_fds()` has them.

    The unit needs FileDescriptorStoreMax=. The manager closes a stored descriptor that hangs up.
    Returns whether the manager was told; it does not say whether it had room. Raises ValueError
    for a name that systemd would not take (ASCII without control characters and `:`, 255 at most).
    """
    _check_name(name)
    fields: dict[str, str | int] = {"FDSTORE": 1, "FDNAME": name}
    pieces = [fds[at : at + FDS_PER_MESSAGE] for at in range(0, len(fds), FDS_PER_MESSAGE)]
    return bool(pieces) and all(_send(fields, piece) for piece in pieces)


def unstore(name: str) -> bool:
    """Drop every descriptor stored as `name`. Returns whether the manager was told.

    Raises ValueError as `store` does.
    """
    _check_name(name)
    return _send({"FDSTOREREMOVE": 1, "FDNAME": name}, ())


def listen_fds() -> dict[str, list[int]]:
    """The descriptors that the manager passed, by name: listeners of socket units, and stored ones.

    They are made close-on-exec, and the environment that told of them is taken away, so that a
    second call, or a child, finds nothing. A descriptor without a name is called `unknown`.
    """
    environment = {
        key: os.environ.get(key) for key in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
    }
    daemon = _library() if environment["LISTEN_FDS"] else None
    try:
        if daemon is None:
            names = _passed(environment)
        else:
            names = daemon.listen_fds_with_names(unset_environment=True)
    except (OSError, ValueError):  # a malformed environment: nothing that could be trusted
        names = {}
    for key in environment:
        os.environ.pop(key, None)
    passed: dict[str, list[int]] = {}
    for fd, name in sorted(names.items()):
        os.set_inheritable(fd, False)
        passed.setdefault(name or "unknown", []).append(fd)
    return passed


def watchdog_interval() -> float | None:
    """Seconds between two `notify(WATCHDOG=1)`: half of the unit's WatchdogSec=, or None."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    allowed = os.environ.get("WATCHDOG_USEC", "")
    return int(allowed) / 2e6 if allowed.isdecimal() and int(allowed) > 0 else None


def _library() -> ModuleType | None:
    """systemd-python, which is optional and imported only under systemd."""
    try:
        return importlib.import_module("systemd.daemon")
    except ImportError:
        return None


def _check_name(name: str) -> None:
    if (
        not 0 < len(name) <= FDNAME_MAX
        or not name.isascii()
        or not name.isprintable()
        or ":" in name
    ):
        raise ValueError(f"not a name for the descriptor store: {name!r}")


def _send(fields: Mapping[str, str | int], fds: Sequence[int]) -> bool:
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    lines = [f"{key}={' '.join(str(value).splitlines())}" for key, value in fields.items()]
    # A path in a STATUS may hold bytes that are not UTF-8.
    message = "\n".join(lines).encode("utf-8", "backslashreplace").decode()
    daemon = _library()
    try:
        if daemon is not None:
            return bool(daemon.notify(message, fds=list(fds)) if fds else daemon.notify(message))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notifying:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
            where = "\0" + address[1:] if address[0] == "@" else address
            notifying.sendmsg([message.encode()], rights, 0, where)
    except OSError:
        return False
    return True


def _passed(environment: Mapping[str, str | None]) -> dict[int, str]:
    """sd_listen_fds_with_names(3): each passed descriptor with its name. Raises ValueError."""
    if environment["LISTEN_PID"] != str(os.getpid()):
        return {}
    count = int(environment["LISTEN_FDS"] or 0)
    names = (environment["LISTEN_FDNAMES"] or ":".join(["unknown"] * count)).split(":")
    return dict(zip(range(FIRST_FD, FIRST_FD + count), names, strict=True))
