"""The machine under examination: its files below a root, its processes, the gateway's account."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SERVICE_USER = "gatewayd"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found, and the command or the edit that mends it.

    `wrong` is for what keeps a port from working or opens it to others; the rest is advice.
    """

    text: str
    remedy: str
    wrong: bool = True


@dataclass(frozen=True, slots=True)
class Account:
    """A user with all groups, whose access to devices is judged."""

    name: str
    uid: int
    gids: frozenset[int]

    def may_use(self, status: os.stat_result) -> bool:
        """Whether it may read and write a file, by owner, group and mode alone."""
        if self.uid == 0:
            return True
        if status.st_uid == self.uid:
            return status.st_mode & 0o600 == 0o600
        if status.st_gid in self.gids:
            return status.st_mode & 0o060 == 0o060
        return status.st_mode & 0o006 == 0o006


@dataclass(frozen=True, slots=True)
class Process:
    """A running program, as far as /proc shows it."""

    pid: int
    name: str
    """Its short name (`comm`)."""
    arguments: tuple[str, ...]

    @property
    def is_gateway(self) -> bool:
        """Whether it is gatewayd itself, run by its script or as a module."""
        return any(part.rpartition("/")[2] == "gatewayd" for part in self.arguments[:4])


@dataclass(frozen=True, slots=True)
class Machine:
    """Where to look; another `root` is another machine."""

    account: Account
    root: Path = Path("/")

    @property
    def sysfs(self) -> Path:
        """The kernel's view of devices."""
        return self.root / "sys"

    @property
    def dev(self) -> Path:
        """The device nodes."""
        return self.root / "dev"

    def processes(self) -> Iterator[Process]:
        """All processes that can be seen."""
        for directory in sorted(
            (self.root / "proc").glob("[0-9]*"), key=lambda path: len(path.name)
        ):
            with contextlib.suppress(OSError):
                name = (directory / "comm").read_text(errors="replace").strip()
                arguments = (directory / "cmdline").read_text(errors="replace").split("\0")
                yield Process(int(directory.name), name, tuple(arguments))

    def holders(self, node: Path) -> Iterator[Process]:
        """The processes that have `node` open; those of other users show only to root."""
        for process in self.processes():
            directory = self.root / "proc" / str(process.pid) / "fd"
            with contextlib.suppress(OSError):
                if any(_leads_to(descriptor, node) for descriptor in directory.iterdir()):
                    yield process

    def udev_rules(self, pattern: str) -> list[Path]:
        """The rule files whose names match `pattern`, wherever udev looks for them."""
        places = (
            "etc/udev/rules.d",
            "run/udev/rules.d",
            "usr/lib/udev/rules.d",
            "lib/udev/rules.d",
        )
        return [path for place in places for path in sorted((self.root / place).glob(pattern))]


def account(name: str | None = None) -> Account:
    """The account `name`; by default that of the service, or the caller's where there is none.

    Raises KeyError for a name that nobody has.
    """
    if name is None:
        try:
            user = pwd.getpwnam(SERVICE_USER)
        except KeyError:
            return Account(_own_name(), os.getuid(), frozenset({os.getgid(), *os.getgroups()}))
    else:
        user = pwd.getpwnam(name)
    return Account(user.pw_name, user.pw_uid, frozenset(os.getgrouplist(user.pw_name, user.pw_gid)))


def group_name(gid: int) -> str:
    """The name of a group, or its number."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _own_name() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


PTYS: Final = range(136, 144)
"""The major numbers of PTYs (Linux, Documentation/admin-guide/devices.txt)."""


def _leads_to(descriptor: Path, node: Path) -> bool:
    """Whether both are one device, whatever name it was opened by; or one file, on paper."""
    with contextlib.suppress(OSError):
        held, wanted = os.stat(descriptor), os.stat(node)
        devices = stat.S_ISCHR(held.st_mode) and stat.S_ISCHR(wanted.st_mode)
        # The numbers of PTYs are each devpts' own: a container has others of the same.
        if devices and os.major(wanted.st_rdev) not in PTYS:
            return held.st_rdev == wanted.st_rdev
        return os.path.samestat(held, wanted)
    return False
