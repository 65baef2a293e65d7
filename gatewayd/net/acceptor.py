"""Accepting clients on one listening socket, and what is done when the system refuses."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any, Final

from gatewayd.config.schema import Address, Door
from gatewayd.log import Happening, note
from gatewayd.net.address import BindError, bind
from gatewayd.net.admission import refused
from gatewayd.net.pace import Turnstile
from gatewayd.net.tcp import expect_peer, peer_name

RETRY_S: Final = 1.0
_OPEN: Final = Door()


class Acceptor:
    """Gives each client to `admit(socket, peername)`, which may raise.

    `peer_timeout()` is how long one may vanish without a word, in seconds; `name` is for the log,
    and `turnstile` says whether too many come.
    """

    def __init__(
        self,
        sock: socket.socket,
        admit: Callable[[socket.socket, str], None],
        *,
        peer_timeout: Callable[[], float],
        name: str,
        door: Door = _OPEN,
        turnstile: Turnstile | None = None,
    ) -> None:
        self.socket = sock
        host, number = sock.getsockname()[:2]
        self.address = Address(str(host), int(number))
        self._admit = admit
        self._peer_timeout = peer_timeout
        self._name = name
        self.door = door
        """How clients come in: who is not to come gets no byte."""
        self._turnstile = turnstile
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self._complained = ""

    def resume(self) -> None:
        """Accept clients, by the settings that hold now; in a while if the system refuses what
        that takes."""
        self._cancel_pause()
        try:
            if self.socket.fileno() < 0:
                self.socket = bind(self.address)
            expect_peer(self.socket, self._peer_timeout())
        except (OSError, BindError) as error:
            self._hold_off(error)
            return
        self._loop.add_reader(self.socket.fileno(), self._accept)

    def pause(self) -> None:
        """Accept no more; sessions go on, and the socket stays open."""
        self._cancel_pause()
        self._loop.remove_reader(self.socket.fileno())

    def close(self) -> None:
        """Listen no more."""
        self.pause()
        self.socket.close()

    def _cancel_pause(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None

    def _accept(self) -> None:
        # One at a time: whoever waits behind it makes the socket readable again, and asking in vain
        # costs as much as a client's greeting.
        try:
            sock, address = self.socket.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            self._hold_off(error)
            return
        self._complained = ""
        try:
            self._receive(sock, address)
        except Exception as error:  # noqa: BLE001 - this client's end alone
            text = "client %s cannot be served: %s"
            level, port = logging.ERROR, self._name
            # What the system refuses is no fault of ours.
            info = None if isinstance(error, OSError) else error
            arguments = (peer_name(address), error)
            note(Happening.FAULT, text, *arguments, level=level, port=port, exc_info=info)
            sock.close()

    def _receive(self, sock: socket.socket, address: tuple[Any, ...]) -> None:
        turnstile = self._turnstile
        peer = peer_name(address)
        if refused(self.door, address, self._name) or (
            turnstile is not None and not turnstile.lets(address[0], self._name, peer)
        ):
            sock.close()
        else:
            self._admit(sock, peer)

    def _hold_off(self, error: Exception) -> None:
        """Out of descriptors or memory: clients wait in the backlog for a while."""
        if self._complained != str(error):
            self._complained = str(error)
            text = "cannot accept clients: %s; trying again every %g s"
            note(Happening.FAULT, text, error, RETRY_S, port=self._name, level=logging.WARNING)
        if self.socket.fileno() >= 0:
            self._loop.remove_reader(self.socket.fileno())
        self._pause = self._loop.call_later(RETRY_S, self.resume)
