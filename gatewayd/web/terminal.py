"""One terminal in a browser: it shows the stream of a port, and types when it was asked to."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Callable
from typing import Any, Final

from gatewayd.comport.wire import PARITY_CODES, STOPSIZE_CODES, Control, Request
from gatewayd.comport.wire import Command as ComPort
from gatewayd.line.model import FASTEST, Parity, StopBits
from gatewayd.log import Happening, note
from gatewayd.web.board import RETRIES_S
from gatewayd.web.daemon import Daemon, DaemonError
from gatewayd.web.typist import NotTaken, Typist
from gatewayd.web.websocket import WebSocket, WebSocketError

NAME_LENGTH: Final = 32
FLOWS: Final = {
    "none": Control.FLOW_NONE,
    "xonxoff": Control.FLOW_XONXOFF,
    "rtscts": Control.FLOW_HARDWARE,
}
SIGNALS: Final = {
    ("DTR", True): Control.DTR_ON,
    ("DTR", False): Control.DTR_OFF,
    ("RTS", True): Control.RTS_ON,
    ("RTS", False): Control.RTS_OFF,
}


class Terminal:
    """Serves one WebSocket until the browser has gone.

    `may_type` is asked each time; `peer` is the address of the browser.
    """

    def __init__(
        self,
        socket: WebSocket,
        daemon: Daemon,
        port: str,
        *,
        may_type: Callable[[], bool],
        peer: str,
    ) -> None:
        self._socket = socket
        self._daemon = daemon
        self._port = port
        self._may_type = may_type
        self._peer = peer
        self._typist: Typist | None = None
        self._taking: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None

    async def serve(self) -> None:
        """Until the browser has gone. Raises WebSocketError."""
        watching = asyncio.get_running_loop().create_task(self._watch())
        try:
            while (message := await self._socket.receive()) is not None:
                await self._do(message)
        finally:
            watching.cancel()
            await asyncio.wait((watching,))
            await self._leave()

    # ---- what the device says

    async def _watch(self) -> None:
        tries = 0
        # Only who has signed in sees what others type.
        path = self._daemon.look
        if self._may_type() and self._daemon.commands:
            path = self._daemon.control
        with contextlib.suppress(WebSocketError):
            while True:
                try:
                    stream = self._daemon.stream(path, "Watch", port=self._port, replay=True)
                    async for answer in stream:
                        tries = 0
                        told = {key: value for key, value in answer.items() if value}
                        if answer["received"] is not None:
                            told["received"] = answer["received"]
                        await self._socket.send({"watch": told})
                except DaemonError as error:
                    await self._socket.send({"away": str(error)})
                await asyncio.sleep(RETRIES_S[min(tries, len(RETRIES_S) - 1)])
                tries += 1

    # ---- what the browser wants

    async def _do(self, message: dict[str, Any]) -> None:
        match message:
            case {"do": "take", **rest}:
                if self._typist is None and self._taking is None:
                    taking = self._take(str(rest.get("name", "")), over=rest.get("over") is True)
                    self._taking = asyncio.get_running_loop().create_task(taking)
            case {"do": "leave"}:
                await self._leave()
                await self._tell("none")
            case _ if self._typist is not None:
                await _perform(self._typist, message)
            case _:
                pass

    async def _take(self, name: str, *, over: bool) -> None:
        with contextlib.suppress(WebSocketError):
            await self._ask(name, over=over)
        self._taking = None

    async def _ask(self, name: str, *, over: bool) -> None:
        if not self._may_type():
            await self._tell("none", "sign in first: gatewayd web-token")
            return
        await self._tell("asking")
        # By the name alone a lease knows its holder.
        name = "".join(one for one in name if one.isprintable()).strip()[:NAME_LENGTH]
        who = name or self._peer
        try:
            sock = await self._daemon.attach(port=self._port, peer=who, takeover=over)
        except DaemonError as error:
            await self._tell("none", str(error))
            return
        typist = Typist(self._port, sock)
        try:
            await typist.ready()
        except NotTaken as error:
            await typist.close()
            await self._tell("none", str(error))
            return
        except BaseException:
            await typist.close()
            raise
        self._typist = typist
        note(Happening.PAGE, "%s types", who, port=self._port, peer=self._peer)
        self._ending = asyncio.get_running_loop().create_task(self._end(typist))
        await self._tell("yours", echoed=typist.echoed)

    async def _end(self, typist: Typist) -> None:
        why = await typist.ended()
        if self._typist is typist:
            self._typist = None
            await typist.close()
            with contextlib.suppress(WebSocketError):
                await self._tell("none", why or "the session has ended")

    async def _leave(self) -> None:
        taking, self._taking = self._taking, None
        if taking is not None:
            taking.cancel()
            await asyncio.wait((taking,))
        typist, self._typist = self._typist, None
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        if typist is not None:
            await typist.close()

    async def _tell(self, hold: str, why: str = "", *, echoed: bool = True) -> None:
        await self._socket.send({"hold": hold, "why": why, "echoed": echoed})


async def _perform(typist: Typist, message: dict[str, Any]) -> None:
    """Do what a message asks for; one that asks for nothing that there is does nothing."""
    match message:
        case {"do": "type", "data": str(data)}:
            with contextlib.suppress(ValueError):
                await typist.type(base64.b64decode(data, validate=True))
        case {"do": "break"}:
            typist.send_break()
        case {"do": "DTR" | "RTS" as signal, "on": bool(on)}:
            typist.control(SIGNALS[signal, on])
        case {"do": "line", **wanted}:
            with contextlib.suppress(KeyError, ValueError, TypeError):
                typist.set(*requests(wanted))
        case _:
            pass


def requests(wanted: dict[str, Any]) -> list[Request]:
    """The requests that make a line such. Raises KeyError, ValueError, TypeError."""
    baudrate, bytesize = int(wanted["baudrate"]), int(wanted["bytesize"])
    if not 0 < baudrate <= FASTEST or not 5 <= bytesize <= 8:
        raise ValueError("out of range")
    return [
        Request(ComPort.SET_BAUDRATE, baudrate),
        Request(ComPort.SET_DATASIZE, bytesize),
        Request(ComPort.SET_PARITY, PARITY_CODES[Parity(wanted["parity"])]),
        Request(ComPort.SET_STOPSIZE, STOPSIZE_CODES[StopBits(float(wanted["stopbits"]))]),
        Request(ComPort.SET_CONTROL, FLOWS[wanted["flow"]]),
    ]
