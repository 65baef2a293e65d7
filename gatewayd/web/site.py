"""What the page answers to which request, and who is refused before that."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from gatewayd.log import Happening, note
from gatewayd.web import access, records, static
from gatewayd.web.board import Board, Viewer
from gatewayd.web.daemon import Daemon, DaemonError
from gatewayd.web.message import Request, Response, plain, text
from gatewayd.web.terminal import Terminal
from gatewayd.web.token import TokenError, read_token
from gatewayd.web.websocket import WebSocket, WebSocketError

if TYPE_CHECKING:
    from gatewayd.web.horizon import Horizon

WRONG_S: Final = 1.0
"""A wrong token is answered so late."""
TERMINALS: Final = 32
"""So many may be open at once: the daemon answers 64 callers that only look, and not only us."""
_PORT: Final = re.compile(r"/port/([^/]+)")
_RECORD: Final = re.compile(r"/record/([^/]+)(?:/([^/]+))?")


@dataclass(frozen=True, slots=True)
class Rights:
    """What a request may do."""

    look: bool
    type: bool


class Site:
    """All of it. `names` are hosts under which browsers know us beside our addresses."""

    def __init__(self, daemon: Daemon, token: Path, names: frozenset[str]) -> None:
        self._daemon = daemon
        self._token = token
        self._names = names
        self._board = Board(daemon)
        self._horizon: Horizon | None = None
        self._terminals = 0

    def refusal(self, request: Request) -> Response | None:
        """Why a request is not ours to answer, whatever it asks for."""
        if not access.is_our_host(request.host, request.ends, self._names):
            why = f"this is not {access.host_of(request.host)}; see --name of gatewayd web"
        elif (
            request.upgrades or request.method not in ("GET", "HEAD")
        ) and not access.is_our_origin(request.headers.get("origin"), request.host):
            why = "another page may not do that"
        elif request.upgrades and not self._rights(request).look:
            why = "sign in first"
        else:
            return None
        _note("refused: %s", why, request, level=logging.WARNING)
        return text(403, why)

    def _signed_in(self, request: Request) -> bool:
        token = self._read_token()
        given = access.cookie(request.headers, access.cookie_name(request.host))
        return bool(token and given) and access.is_ticket(given, token, time.time())

    def _rights(self, request: Request) -> Rights:
        signed_in = self._signed_in(request)
        return Rights(signed_in or access.may_look_unasked(request.host, request.ends), signed_in)

    def _read_token(self) -> str:
        try:
            return read_token(self._token)
        except TokenError as error:
            note(Happening.FAULT, "%s", error, level=logging.WARNING)
            return ""

    # ---- requests

    async def answer(self, request: Request) -> Response:
        """Answer one that was not refused, and is no upgrade."""
        match request.method, request.path:
            case "GET" | "HEAD", "/rights":
                return self._tell_rights(request)
            case "POST", "/sign-in":
                return await self._sign_in(request)
            case "POST", "/sign-out":
                return _forget(request)
            case "GET", path if path.startswith("/record/"):
                return await self._record(request)
            case "GET" | "HEAD", _:
                return static.answer(request)
            case _:
                return text(405, "this can only be read")

    def _tell_rights(self, request: Request) -> Response:
        rights = self._rights(request)
        told = {"look": rights.look, "signed_in": rights.type, "able": self._daemon.commands}
        return plain({**told, "host": socket.gethostname()})

    async def _sign_in(self, request: Request) -> Response:
        token = self._read_token()
        given = _given(request.body)
        if not token or not access.is_token(given, token):
            _note("%s", "a wrong token", request, level=logging.WARNING)
            await asyncio.sleep(WRONG_S)
            return text(403, "that is not the token; gatewayd web-token prints it")
        _note("%s", "signed in", request)
        name, value = access.cookie_name(request.host), access.ticket(token, time.time())
        return plain({}, _cookie(request, name, value, access.SIGNED_IN_S))

    async def _record(self, request: Request) -> Response:
        if not self._signed_in(request):
            return text(403, "sign in first: gatewayd web-token")
        found = _RECORD.fullmatch(request.path)
        if found is None:
            return text(404, "there is no such record")
        name = unquote(found[1])
        try:
            record = (await self._daemon.ports()).get(name, {}).get("record")
        except DaemonError as error:
            return text(503, str(error))
        if record is None:
            return text(404, f"{name} is not recorded")
        directory = str(record["directory"])
        if found[2] is None:
            return await records.listing(directory)
        return await records.download(directory, name, unquote(found[2]))

    # ---- WebSockets

    def no_socket(self, request: Request) -> Response | None:
        """Why no WebSocket is to be had there."""
        if _PORT.fullmatch(request.path):
            full = self._terminals >= TERMINALS
            return text(503, "too many terminals are open") if full else None
        return (
            None if request.path in ("/live", "/fleet/live") else text(404, "there is nothing here")
        )

    async def talk(self, request: Request, web_socket: WebSocket) -> None:
        """Serve a WebSocket until the browser has gone. Raises WebSocketError."""
        if request.path == "/live":
            viewer = self._board.join()
            try:
                await _show(viewer, web_socket)
            finally:
                await self._board.leave(viewer)
        elif request.path == "/fleet/live":
            viewer = self._fleet().join()
            try:
                await _show(viewer, web_socket)
            finally:
                self._fleet().leave(viewer)
        elif found := _PORT.fullmatch(request.path):
            terminal = Terminal(
                web_socket,
                self._daemon,
                unquote(found[1]),
                may_type=lambda: self._signed_in(request),
                peer=request.ends.theirs,
            )
            self._terminals += 1
            try:
                await terminal.serve()
            finally:
                self._terminals -= 1

    def _fleet(self) -> Horizon:
        if self._horizon is None:
            # With all that it needs: few look beyond this machine.
            from gatewayd.web.horizon import Horizon

            self._horizon = Horizon()
        return self._horizon


async def _show(viewer: Viewer, web_socket: WebSocket) -> None:
    """Tell what changes, until the browser has gone. Raises WebSocketError."""
    telling = asyncio.get_running_loop().create_task(_tell(viewer, web_socket))
    try:
        while await web_socket.receive() is not None:
            pass
    finally:
        telling.cancel()
        await asyncio.wait((telling,))


async def _tell(viewer: Viewer, web_socket: WebSocket) -> None:
    with contextlib.suppress(WebSocketError):
        while True:
            await web_socket.send(await viewer.next())


def _given(body: bytes) -> str:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    given = message.get("token") if isinstance(message, dict) else None
    return given if isinstance(given, str) else ""


def _forget(request: Request) -> Response:
    return plain({}, _cookie(request, access.cookie_name(request.host), "", 0))


def _cookie(request: Request, name: str, value: str, seconds: int) -> dict[str, str]:
    secure = "; Secure" if request.secure else ""
    limits = f"Max-Age={seconds}; Path=/; HttpOnly; SameSite=Strict{secure}"
    return {"Set-Cookie": f"{name}={value}; {limits}"}


def _note(message: str, what: str, request: Request, level: int = logging.INFO) -> None:
    note(Happening.PAGE, message, what, level=level, peer=request.ends.theirs)
