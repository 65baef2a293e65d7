"""The state of all ports, for all browsers: one stream from the daemon while somebody looks."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any, Final

from gatewayd.web.daemon import Daemon, DaemonError

RETRIES_S: Final = (0.2, 0.5, 1.0, 2.0)
"""How long to wait before the daemon is called again; the last goes on while somebody looks."""


class Viewer:
    """One browser: what it has not been told yet. A slow one gets several changes as one."""

    def __init__(self, message: Callable[[set[str]], dict[str, Any]]) -> None:
        self._message = message
        self._changed: set[str] = set()
        self._something = asyncio.Event()

    def changed(self, names: set[str]) -> None:
        """These are to be told, and who is there at all."""
        self._changed |= names
        self._something.set()

    async def next(self) -> dict[str, Any]:
        """What to tell it, once there is something."""
        await self._something.wait()
        self._something.clear()
        changed, self._changed = self._changed, set()
        return self._message(changed)


class Board:
    """Has the stream while there are viewers."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._viewers: set[Viewer] = set()
        self._following: asyncio.Task[None] | None = None
        self._about: dict[str, Any] = {}
        self._names: list[str] = []
        self._ports: dict[str, dict[str, Any]] = {}
        self._why = ""

    def join(self) -> Viewer:
        """Somebody looks."""
        viewer = Viewer(self.message)
        self._viewers.add(viewer)
        if self._following is None:
            self._following = asyncio.get_running_loop().create_task(self._follow())
        elif self._about or self._why:
            viewer.changed(set(self._names))
        return viewer

    async def leave(self, viewer: Viewer) -> None:
        """It has gone."""
        self._viewers.discard(viewer)
        if not self._viewers and self._following is not None:
            following, self._following = self._following, None
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await following
            if self._following is None:
                self._about, self._names, self._ports, self._why = {}, [], {}, ""

    def message(self, changed: set[str]) -> dict[str, Any]:
        """What a browser is told: all names, and the ports that changed. `why` is why nothing can
        be known."""
        ports = [self._ports[name] for name in self._names if name in changed]
        return {**self._about, "now": time.time(), "why": self._why} | (
            {} if self._why else {"names": self._names, "ports": ports}
        )

    async def _follow(self) -> None:
        tries = 0
        while True:
            try:
                async for answer in self._daemon.stream(self._daemon.look, "Changes"):
                    tries = 0
                    self._take(answer)
            except DaemonError as error:
                self._tell(str(error), set())
            await asyncio.sleep(RETRIES_S[min(tries, len(RETRIES_S) - 1)])
            tries += 1

    def _take(self, answer: dict[str, Any]) -> None:
        self._about = {key: answer[key] for key in ("version", "since")}
        self._ports |= {port["name"]: port for port in answer["ports"]}
        # A port may be named before it is described.
        self._names = [name for name in answer["names"] if name in self._ports]
        self._ports = {name: self._ports[name] for name in self._names}
        self._tell("", {port["name"] for port in answer["ports"]})

    def _tell(self, why: str, changed: set[str]) -> None:
        if why and why == self._why:
            return
        self._why = why
        for viewer in self._viewers:
            viewer.changed(changed)
