"""Talking to the service manager: readiness, the watchdog, the descriptor store, socket activation.

See sd_notify(3), sd_listen_fds(3) and systemd.service(5). What the manager passed is taken by
systemd-python, or without it by a few lines here that speak the same protocol; its `notify` would
wait for the manager, so that is ours alone. Outside systemd nothing here does anything. Nothing
waits for the manager: what it does not take at once is kept in order, and sent by `flush`, which
somebody must call while something is `waiting`.
"""

from __future__ import annotations

import array
import errno
import importlib
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from gatewayd.typed import NamedTuple

FIRST_FD = 3
"""The first descriptor that the service manager passes."""
FDS_PER_MESSAGE = 253
"""What one message on a unix socket can carry (SCM_MAX_FD of Linux)."""
FDNAME_MAX = 255
"""The longest FDNAME= that systemd takes, in characters."""

_LATER: Final = frozenset(
    {errno.EAGAIN, errno.EINTR, errno.ENOBUFS, errno.ENOMEM, errno.EMFILE, errno.ENFILE}
    | {errno.ETOOMANYREFS}
)
"""Refusals that say nothing of the manager, but that it, or the system, has no room now."""


def under_systemd() -> bool:
    """Whether a service manager started this process and wants to hear from it."""
    return bool(os.environ.get("NOTIFY_SOCKET"))


def notify(**fields: str | int) -> bool:
    """Tell the service manager `fields`, by sd_notify(3)'s names: `notify(READY=1, STATUS="...")`.

    RELOADING is sent with the MONOTONIC_USEC that belongs to it. A line break in a value would
    start another field and becomes a space. Returns whether the manager was told or will be.
    """
    if "RELOADING" in fields:
        fields.setdefault("MONOTONIC_USEC", time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)
    return _send(fields, ())


def store(name: str, *fds: int) -> bool:
    """Leave copies of `fds` in the descriptor store; after a restart `listen_fds()` has them.

    The unit needs FileDescriptorStoreMax=. The manager closes a stored descriptor that hangs up.
    Returns whether the manager was told or will be; it does not say whether it had room. Raises
    ValueError for a name that systemd would not take (ASCII without control characters and `:`, 255
    at most).
    """
    _check_name(name)
    fields: dict[str, str | int] = {"FDSTORE": 1, "FDNAME": name}
    pieces = [fds[at : at + FDS_PER_MESSAGE] for at in range(0, len(fds), FDS_PER_MESSAGE)]
    return bool(pieces) and all(_send(fields, piece) for piece in pieces)


def unstore(name: str) -> bool:
    """Drop every descriptor stored as `name`. Returns whether the manager was told or will be.

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
    try:
        names = _library_passed() if environment["LISTEN_FDS"] else None
        names = _passed(environment) if names is None else names
    except ValueError:  # a malformed environment: nothing that could be trusted
        names = {}
    for key in environment:
        os.environ.pop(key, None)
    passed: dict[str, list[int]] = {}
    for fd, name in sorted(names.items()):
        try:
            os.set_inheritable(fd, False)
        except OSError:  # none of that number was passed
            continue
        passed.setdefault(name or "unknown", []).append(fd)
    return passed


def watchdog_interval() -> float | None:
    """Seconds between two `notify(WATCHDOG=1)`: half of the unit's WatchdogSec=, or None."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    allowed = os.environ.get("WATCHDOG_USEC", "")
    return int(allowed) / 2e6 if allowed.isdecimal() and int(allowed) > 0 else None


def _library_passed() -> dict[int, str] | None:
    """What systemd-python finds; None without it, or when it takes none because one is bad."""
    try:
        daemon = importlib.import_module("systemd.daemon")
        return dict(daemon.listen_fds_with_names(unset_environment=False))
    except (ImportError, OSError, ValueError):
        return None


def _check_name(name: str) -> None:
    if (
        not 0 < len(name) <= FDNAME_MAX
        or not name.isascii()
        or not name.isprintable()
        or ":" in name
    ):
        raise ValueError(f"not a name for the descriptor store: {name!r}")


def waiting() -> bool:
    """Whether there is something that the manager has not taken yet."""
    return bool(_SENDER.queue)


def flush() -> bool:
    """Send what waits, as far as the manager takes it; return whether nothing waits now."""
    return _SENDER.flush()


def when_waiting(call: Callable[[], None] | None) -> None:
    """Call `call` each time that something begins to wait: `flush` is to be called until it does
    not."""
    _SENDER.stalled = call


class _Message(NamedTuple):
    """What waits for the manager, with copies of its descriptors."""

    fields: Mapping[str, str | int]
    fds: tuple[int, ...]


class _Sender:
    """The way to the manager: one socket, and what it did not take."""

    def __init__(self) -> None:
        self.queue: deque[_Message] = deque()
        self.stalled: Callable[[], None] | None = None
        self._socket: socket.socket | None = None

    def send(self, fields: Mapping[str, str | int], fds: Sequence[int]) -> bool:
        if not _address():
            return False
        try:
            if self.flush():
                self._send(fields, fds)
                return True
        except OSError as error:
            if error.errno not in _LATER:
                return False
        return self._keep(fields, fds)

    def flush(self) -> bool:
        while self.queue:
            try:
                self._send(*self.queue[0])
            except OSError as error:
                if error.errno in _LATER:
                    return False
                # There is no manager any more, or it is not one: nobody to tell.
            self._drop(self.queue[0])
        return True

    def _send(self, fields: Mapping[str, str | int], fds: Sequence[int]) -> None:
        if self._socket is None:
            kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
            self._socket = socket.socket(socket.AF_UNIX, kind)
        lines = [f"{key}={' '.join(str(value).splitlines())}" for key, value in fields.items()]
        # A path in a STATUS may hold bytes that are not UTF-8.
        message = "\n".join(lines).encode("utf-8", "backslashreplace")
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self._socket.sendmsg([message], rights, 0, _address())

    def _keep(self, fields: Mapping[str, str | int], fds: Sequence[int]) -> bool:
        for former in [one for one in self.queue if _outdated(one.fields, fields)]:
            self._drop(former)
        copies: list[int] = []
        try:
            copies.extend(map(os.dup, fds))
        except OSError:
            for fd in copies:
                os.close(fd)
            return False
        self.queue.append(_Message(fields, tuple(copies)))
        if len(self.queue) == 1 and self.stalled is not None:
            self.stalled()
        return True

    def _drop(self, message: _Message) -> None:
        self.queue.remove(message)
        for fd in message.fds:
            os.close(fd)


_SENDER: Final = _Sender()


def _send(fields: Mapping[str, str | int], fds: Sequence[int]) -> bool:
    return _SENDER.send(fields, fds)


def _address() -> str:
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return ""
    return "\0" + address[1:] if address[0] == "@" else address


def _outdated(before: Mapping[str, str | int], now: Mapping[str, str | int]) -> bool:
    """Whether what waits need not be told any more, so that what waits is bounded: the last status
    counts, one sign of life is enough, and what is dropped from the store need not get there."""
    if before.keys() == now.keys() and before.keys() <= {"STATUS", "WATCHDOG"}:
        return True
    return "FDSTOREREMOVE" in now and before.get("FDNAME") == now["FDNAME"]


def _passed(environment: Mapping[str, str | None]) -> dict[int, str]:
    """sd_listen_fds_with_names(3): each passed descriptor with its name. Raises ValueError."""
    if environment["LISTEN_PID"] != str(os.getpid()):
        return {}
    count = int(environment["LISTEN_FDS"] or 0)
    names = (environment["LISTEN_FDNAMES"] or ":".join(["unknown"] * count)).split(":")
    return dict(zip(range(FIRST_FD, FIRST_FD + count), names, strict=True))
