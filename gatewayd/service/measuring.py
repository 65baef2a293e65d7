"""Metrics of the gateway, at the addresses that the configuration says.

What serves them is imported when there is such an address.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from gatewayd.config.schema import Address
from gatewayd.log import Happening, note
from gatewayd.metrics.families import families
from gatewayd.metrics.server import MetricsServer
from gatewayd.metrics.text import Form, render
from gatewayd.net.address import BindError

RETRY_S: Final = 5.0
"""An address that cannot be had is tried again after so long: the ports do not wait for it."""


class Measuring:
    """Has a server at each address. `status` gives an answer of `Status`."""

    def __init__(self, status: Callable[[], Awaitable[Mapping[str, Any]]]) -> None:
        self._status = status
        self._loop = asyncio.get_running_loop()
        self._servers: dict[Address, MetricsServer] = {}
        self._wanted: tuple[Address, ...] = ()
        self._retry: asyncio.TimerHandle | None = None
        self._complained: set[str] = set()

    def follow(self, addresses: tuple[Address, ...]) -> None:
        """Serve at these addresses, and at no others."""
        self.leave(addresses)
        self._wanted = addresses
        self._open()

    def leave(self, addresses: tuple[Address, ...]) -> None:
        """Serve at no others than these: what is given up is free at once."""
        wanted = {address: address.door for address in addresses}
        for address, server in tuple(self._servers.items()):
            if wanted.get(address) != server.door:
                self._servers.pop(address).close()

    def _open(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        for address in self._wanted:
            if address in self._servers:
                continue
            server = MetricsServer(address, self._text)
            try:
                server.start()
            except BindError as error:
                self._complain(str(error))
            else:
                self._servers[address] = server
        if len(self._servers) < len(set(self._wanted)):
            self._retry = self._loop.call_later(RETRY_S, self._open)

    def _complain(self, text: str) -> None:
        if text not in self._complained:
            self._complained.add(text)
            told = "no metrics: %s; trying again every %g s"
            note(Happening.FAULT, told, text, RETRY_S, level=logging.WARNING)

    async def _text(self, form: Form) -> str:
        return render(families(await self._status()), form)

    def stop(self) -> None:
        """Serve nowhere."""
        self.follow(())
