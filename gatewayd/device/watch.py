"""Told by the kernel when a device may have come, gone or changed its permissions.

inotify on the directories that a path leads through says it for nodes, udev's links and pseudo
terminals alike, and devtmpfs takes part: the node appears when the device is complete in sysfs.
(The kernel's uevent socket would say the same of real devices only, and not in containers.)
Nothing is polled; without devices coming and going the loop is not woken.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Hashable

from gatewayd.device import inotify
from gatewayd.device.inotify import Event, Inotify
from gatewayd.device.match import DeviceMatch
from gatewayd.device.scan import NODE_NAME, SerialDevice, scan
from gatewayd.device.trail import trail
from gatewayd.log import Happening, note

SETTLE = 0.02
"""Seconds in which the events of one plugging are gathered into one call."""

RETRY = 2.0
"""Seconds after which a user of a watch that is not `available` looks again."""

_ANY_DEVICE = "/"
"""Stands for all names of serial nodes; no name in a directory is like it."""

_SELF = inotify.IN_DELETE_SELF | inotify.IN_MOVE_SELF | inotify.IN_ONLYDIR
_NAMES = (
    inotify.IN_CREATE
    | inotify.IN_MOVED_TO
    | inotify.IN_MOVED_FROM
    | inotify.IN_DELETE
    | inotify.IN_ATTRIB
)
_DIRECTORY_GONE = (
    inotify.IN_DELETE_SELF | inotify.IN_MOVE_SELF | inotify.IN_UNMOUNT | inotify.IN_IGNORED
)


class _Watched:
    """One watched device."""

    def __init__(self, path: str, below: str | None, callback: Callable[[], None]) -> None:
        self.path = path
        self.below = below
        self.callback = callback
        self.places: dict[str, frozenset[str]] = {}
        self.telling: asyncio.TimerHandle | None = None


class DeviceWatch:
    """Calls back when something happened that may concern a device. `dev` and `sysfs` are the roots
    in which devices are looked for."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, sysfs: str = "/sys", dev: str = "/dev"
    ) -> None:
        self._loop = loop
        self._sysfs = sysfs
        self._dev = dev
        self._watched: dict[Hashable, _Watched] = {}
        self._users: dict[str, set[Hashable]] = {}
        self._masks: dict[str, tuple[int, int]] = {}  # directory: its watch and mask
        self._directories: dict[int, set[str]] = {}  # watch: more than one for bind mounts
        self._blind: set[Hashable] = set()
        self._complained = False
        self._devices: tuple[SerialDevice, ...] | None = None
        self._inotify: Inotify | None = None
        try:
            self._inotify = Inotify()
        except OSError as error:
            self._complain(error)
        else:
            loop.add_reader(self._inotify.fileno(), self._read)
            # For `devices`, which then knows when to look again.
            self.watch(self, None, lambda: None)

    @property
    def available(self) -> bool:
        """Whether all that is watched is told. If not, its user looks again every RETRY seconds;
        the log has said so once."""
        return self._inotify is not None and not self._blind

    def watch(
        self, key: Hashable, device: DeviceMatch | str | None, callback: Callable[[], None]
    ) -> None:
        """Call `callback` in the loop, soon after something happened that may concern `device`: a
        path, a match, or None for any serial device. Replaces what `key` watched before.

        Look for the device after this call, not before; what happens from here on is told. The
        path may lead through links and directories that do not exist yet; nothing is told of a URL.
        """
        self.forget(key)
        if isinstance(device, str) and "://" in device:
            return
        if isinstance(device, str):
            self._watched[key] = _Watched(device, None, callback)
        else:
            self._watched[key] = _Watched(self._dev, _ANY_DEVICE, callback)
        self._follow(key)

    def forget(self, key: Hashable) -> None:
        """No more calls for `key`, not even for what has happened already."""
        watched = self._watched.pop(key, None)
        if watched is None:
            return
        if watched.telling is not None:
            watched.telling.cancel()
        self._blind.discard(key)
        for directory in watched.places:
            self._leave(directory, key)

    def devices(self) -> tuple[SerialDevice, ...]:
        """What `scan` finds, looked for again only after something happened in `dev`: many watches
        that one plugging wakes share one scan."""
        if self._inotify is None or self in self._blind:
            return scan(self._sysfs, self._dev)
        if self._devices is None:
            self._devices = scan(self._sysfs, self._dev)
        return self._devices

    def close(self) -> None:
        """Forget all and give the kernel's queue back."""
        for key in tuple(self._watched):
            self.forget(key)
        if self._inotify is not None:
            self._loop.remove_reader(self._inotify.fileno())
            self._inotify.close()
            self._inotify = None

    def _read(self) -> None:
        assert self._inotify is not None
        concerned: set[Hashable] = set()
        for event in self._inotify.read():
            concerned |= self._concerned(event)
        for key in concerned:
            self._follow(key)
            watched = self._watched[key]
            if key is self:
                self._devices = None
            elif watched.telling is None:
                watched.telling = self._loop.call_later(SETTLE, self._tell, watched)

    def _tell(self, watched: _Watched) -> None:
        watched.telling = None
        watched.callback()

    def _concerned(self, event: Event) -> set[Hashable]:
        if event.mask & inotify.IN_Q_OVERFLOW:
            return set(self._watched)
        concerned = set()
        for directory in tuple(self._directories.get(event.wd, ())):
            if event.mask & _DIRECTORY_GONE:
                concerned |= self._lose(directory)
                continue
            for key in self._users[directory]:
                names = self._watched[key].places[directory]
                if (
                    event.name in names
                    or (names and not event.name)
                    or (_ANY_DEVICE in names and NODE_NAME.fullmatch(event.name))
                ):
                    concerned.add(key)
        return concerned

    def _lose(self, gone: str) -> set[Hashable]:
        """What was watched at and below the directory `gone` is now somewhere else, or nowhere."""
        concerned = set()
        for directory in [d for d in self._users if d == gone or d.startswith(f"{gone}/")]:
            for key in tuple(self._users[directory]):
                concerned.add(key)
                del self._watched[key].places[directory]
                self._leave(directory, key)
        return concerned

    def _follow(self, key: Hashable) -> None:
        """Watch the directories through which the path leads now. What changes between the look and
        the watch is found by looking again, until nothing changed."""
        if self._inotify is None:
            return
        watched = self._watched[key]
        error: OSError | None = None
        for _attempt in range(8):
            places = trail(watched.path, watched.below)
            if places == watched.places and error is None:
                break
            before, watched.places = watched.places, places
            error = None
            for directory, names in places.items():
                self._users.setdefault(directory, set()).add(key)
                try:
                    self._set(directory)
                except OSError as failed:
                    # A directory that can only be passed through is no loss.
                    error = failed if names else error
            for directory in before.keys() - places.keys():
                self._leave(directory, key)
        self._blind.discard(key)
        if error is not None:
            self._blind.add(key)
            self._complain(error)

    def _set(self, directory: str) -> None:
        """Have the kernel tell what the users of `directory` need to know. Raises OSError."""
        assert self._inotify is not None
        named = any(self._watched[key].places.get(directory) for key in self._users[directory])
        mask = _SELF | (_NAMES if named else 0)
        if self._masks.get(directory, (0, 0))[1] == mask:
            return
        wd = self._inotify.add(directory, mask)
        same = self._directories.setdefault(wd, set())
        same.add(directory)
        self._masks[directory] = (wd, mask)
        together = mask
        for other in same:
            together |= self._masks[other][1]
        if together != mask:
            self._inotify.add(directory, together)

    def _leave(self, directory: str, key: Hashable) -> None:
        users = self._users[directory]
        users.discard(key)
        if users:
            with contextlib.suppress(OSError):
                self._set(directory)
            return
        del self._users[directory]
        wd, _mask = self._masks.pop(directory, (-1, 0))
        same = self._directories.get(wd, set())
        same.discard(directory)
        if wd >= 0 and not same and self._inotify is not None:
            del self._directories[wd]
            self._inotify.remove(wd)

    def _complain(self, error: OSError) -> None:
        if not self._complained:
            self._complained = True
            note(
                Happening.FAULT,
                "the kernel does not tell of devices that come and go (%s): "
                "absent ones are looked for every %g s",
                error,
                RETRY,
                level=logging.WARNING,
            )
