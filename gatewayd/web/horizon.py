"""The gateways of the network, for all browsers: one search while somebody looks."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from gatewayd.fleet.machines import KINDS, Machine, machines, remembered
from gatewayd.web.board import Viewer

if TYPE_CHECKING:
    from gatewayd.fleet.following import Following

SETTLE_S: Final = 0.3
"""What changes within this time is told at once, however often somebody on the link says so."""
NO_JEEPNEY: Final = "jeepney is not installed on this machine; Debian's package is python3-jeepney"


class Horizon:
    """Has the search while there are viewers."""

    def __init__(self) -> None:
        self._viewers: set[Viewer] = set()
        self._following: Following | None = None
        self._due: asyncio.TimerHandle | None = None
        self._machines: dict[str, Machine] = {}
        self._told = False
        """Whether there is something to tell who comes now."""
        self._why = ""

    def join(self) -> Viewer:
        """Somebody looks."""
        viewer = Viewer(self.message)
        self._viewers.add(viewer)
        if len(self._viewers) == 1:
            self._begin()
        if self._told:
            viewer.changed(set(self._machines))
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """It has gone."""
        self._viewers.discard(viewer)
        if self._viewers:
            return
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if self._following is not None:
            self._following.stop()
            self._following = None
        self._machines, self._told, self._why = {}, False, ""

    def message(self, changed: set[str]) -> dict[str, Any]:
        """What a browser is told: all names in order, and the machines that changed. `why` is why
        nothing can be seen on the network, `searching` whether more is about to be told."""
        following = self._following
        return {
            "now": time.time(),
            "why": self._why,
            "searching": following is not None and not self._why and not following.complete,
            "left_out": following is not None and following.left_out,
            "names": list(self._machines),
            "machines": [one.as_json() for name, one in self._machines.items() if name in changed],
        }

    def _begin(self) -> None:
        try:
            from gatewayd.fleet.following import Following
        except ImportError:
            self._why, self._told = NO_JEEPNEY, True
            return
        self._following = Following(asyncio.get_running_loop(), KINDS, self._changed)
        self._following.start()

    def _changed(self) -> None:
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(SETTLE_S, self._tell)

    def _tell(self) -> None:
        self._due = None
        if self._following is None:
            return
        before = self._machines
        now = remembered(machines(self._following.found.values()), before)
        self._machines, self._why, self._told = now, self._following.why, True
        changed = {name for name, one in now.items() if before.get(name) != one}
        for viewer in self._viewers:
            viewer.changed(changed)
