"""The control socket's listening end.

Reading and writing rights of the socket decide who may call: its owner and its group. Who called
what is in the log, by the credentials that the kernel tells.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pwd
import socket
import stat
import struct
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from gatewayd import __version__
from gatewayd.control import interface, varlink
from gatewayd.control.varlink import Call, CallError
from gatewayd.errors import GatewayError
from gatewayd.log import Happening, note

OVERFLOW_UID: Final = 65534
READ_BYTES: Final = 65536
IDLE_S: Final = 60.0
"""A caller that says nothing for so long is closed."""

Method = Callable[[Call], Awaitable[Mapping[str, Any]]]


class ControlError(GatewayError):
    """The control socket cannot be made, or nobody answers on it."""


class ControlServer:
    """Answers calls of `methods`, by their names without the interface's."""

    def __init__(self, path: str, methods: Mapping[str, Method]) -> None:
        self.path = path
        self._methods = methods
        self._server: asyncio.Server | None = None
        self._callers: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. Raises ControlError."""
        sock = listening_socket(self.path)
        self._server = await asyncio.start_unix_server(self._serve, sock=sock)

    def leave(self) -> None:
        """Listen no more; the path goes. Who has called already is answered."""
        if self._server is not None:
            self._server.close()
            self._server = None
            with contextlib.suppress(OSError):
                os.unlink(self.path)

    async def stop(self) -> None:
        """Listen no more, and close all callers."""
        self.leave()
        for caller in tuple(self._callers):
            caller.cancel()
        await asyncio.gather(*self._callers, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._callers.add(task)
        try:
            await self._converse(reader, writer)
            writer.close()
            async with asyncio.timeout(IDLE_S):
                await writer.wait_closed()
        except (varlink.FramingError, TimeoutError, ConnectionError, asyncio.CancelledError):
            # Not `close`: that would wait for a caller that does not read.
            writer.transport.abort()
        except Exception as error:  # noqa: BLE001 - our fault, and this caller's end alone
            note(Happening.FAULT, "control call failed", level=logging.ERROR, exc_info=error)
            writer.transport.abort()
        finally:
            self._callers.discard(task)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        who = caller(writer.get_extra_info("socket"))
        framer = varlink.Framer()
        while True:
            async with asyncio.timeout(IDLE_S):
                data = await reader.read(READ_BYTES)
            if not data:
                return
            for message in framer.feed(data):
                call = varlink.call_of(message)
                reply = await self._reply(call, who)
                if call.oneway:
                    continue
                writer.write(reply)
                # After each: an answer is many times as long as a call.
                async with asyncio.timeout(IDLE_S):
                    await writer.drain()

    async def _reply(self, call: Call, who: str) -> bytes:
        try:
            return varlink.answer(await self._perform(call, who))
        except CallError as error:
            return varlink.refusal(error)

    async def _perform(self, call: Call, who: str) -> Mapping[str, Any]:
        name, _, method = call.method.rpartition(".")
        if name == varlink.SERVICE:
            return _standard(call, method)
        if name != interface.NAME:
            raise CallError(f"{varlink.SERVICE}.InterfaceNotFound", {"interface": name})
        perform = self._methods.get(method)
        if perform is None:
            raise CallError(f"{varlink.SERVICE}.MethodNotFound", {"method": call.method})
        # Watchers ask for the status again and again.
        level = logging.DEBUG if method == "Status" else logging.INFO
        note(Happening.CONTROL_CALLED, "%s by %s", method, who, level=level)
        return await perform(call)


def _standard(call: Call, method: str) -> Mapping[str, Any]:
    if method == "GetInfo":
        return {
            "vendor": "gatewayd",
            "product": "gatewayd",
            "version": __version__,
            "url": "",
            "interfaces": [varlink.SERVICE, interface.NAME],
        }
    if method == "GetInterfaceDescription":
        name = varlink.argument(call, "interface", str)
        if name == varlink.SERVICE:
            return {"description": varlink.SERVICE_DESCRIPTION}
        if name == interface.NAME:
            return {"description": interface.DESCRIPTION}
        raise CallError(f"{varlink.SERVICE}.InterfaceNotFound", {"interface": name})
    raise CallError(f"{varlink.SERVICE}.MethodNotFound", {"method": call.method})


def listening_socket(path: str) -> socket.socket:
    """A unix socket at `path`, for its owner and group. What a dead daemon left there goes.

    Raises ControlError, also when a living one answers there.
    """
    with contextlib.suppress(OSError):
        os.mkdir(os.path.dirname(path), 0o750)
    _clear(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    before = os.umask(0o117)
    try:
        sock.bind(path)
        sock.listen(16)
    except OSError as error:
        sock.close()
        why = os.strerror(error.errno) if error.errno else str(error)
        raise ControlError(f"control socket {path}: {why}") from error
    finally:
        os.umask(before)
    return sock


def _clear(path: str) -> None:
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            raise ControlError(f"control socket {path}: something else is there")
    except OSError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except BlockingIOError:
            raise ControlError(f"control socket {path}: another gatewayd is busy there") from None
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(path)
        else:
            raise ControlError(f"control socket {path}: another gatewayd answers there")


def caller(sock: socket.socket) -> str:
    """Who is at the other end: user and process, from SO_PEERCRED."""
    packed = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, uid, _ = struct.unpack("3i", packed)
    if uid == OVERFLOW_UID:
        # In a user namespace, as the unit has one, others have no number.
        return f"another user (pid {pid})"
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    return f"{user} (pid {pid})"
