"""What is published on the network, kept so while the bus and Avahi come and go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from gatewayd.advertise.avahi import Avahi
from gatewayd.advertise.bus import Bus
from gatewayd.advertise.services import Service
from gatewayd.log import Happening, note

RETRY_S: Final = (1.0, 60.0)
"""First and last delay between two tries to reach a bus that is not there."""


class Publisher:
    """Publishes services by keys. `running` is called whenever Avahi begins to serve: nothing is
    published then, and `host` is the machine's name on the network."""

    def __init__(self, loop: asyncio.AbstractEventLoop, running: Callable[[], None]) -> None:
        self.host: str | None = None
        """None while nothing can be published."""
        self._loop = loop
        self._on_running = running
        self._bus = Bus(loop, self)
        self._avahi = Avahi(self._bus, self._running, self._complain)
        self._delay = RETRY_S[0]
        self._retry: asyncio.TimerHandle | None = None
        self._told = ""

    def start(self) -> None:
        """Look for the bus, now and until it is there."""
        self._retry = None
        try:
            self._bus.open()
        except OSError as error:
            self.bus_lost(error.strerror or str(error))

    def publish(self, key: str, services: tuple[Service, ...]) -> None:
        """Have `services` published under `key`, in place of what was; none withdraws."""
        self._avahi.publish(key, services)

    def stop(self) -> None:
        """Withdraw everything."""
        if self._retry is not None:
            self._retry.cancel()
        self.host = None
        self._bus.close()
        self._avahi.end()

    # ---- what the bus tells

    def bus_ready(self) -> None:
        """See `BusUser`."""
        self._delay = RETRY_S[0]
        self._avahi.begin()

    def bus_signal(self, path: str, interface: str, member: str, body: tuple[Any, ...]) -> None:
        """See `BusUser`."""
        self._avahi.signal(path, interface, member, body)

    def bus_lost(self, why: str) -> None:
        """See `BusUser`."""
        self.host = None
        self._avahi.end()
        self._complain(f"no system bus ({why})")
        self._retry = self._loop.call_later(self._delay, self.start)
        self._delay = min(2 * self._delay, RETRY_S[1])

    def _running(self, host: str) -> None:
        self.host = host
        self._told = ""
        note(Happening.ADVERTISING, "ports are told of on the network as those of %s", host)
        self._on_running()

    def _complain(self, text: str) -> None:
        # What goes on is no news.
        if text != self._told:
            self._told = text
            note(Happening.ADVERTISING_FAILED, "adverts: %s", text, level=logging.WARNING)
