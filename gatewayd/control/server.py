"""The control socket's listening end.

Reading and writing rights of the socket decide who may call: its owner and its group. Who called
what is in the log, by the credentials that the kernel tells.

Callers take turns: in one round of the loop at most one call is begun, so that however many come
at once, ports are served between them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import stat
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from gatewayd import __version__
from gatewayd.control import interface, varlink
from gatewayd.control.caller import Caller, Handed
from gatewayd.control.varlink import Call, CallError
from gatewayd.errors import SHORTAGES, GatewayError
from gatewayd.log import Happening, note
from gatewayd.value import Value

CALLERS: Final = 64
"""So many may be connected to a socket at once; one more is closed."""
BACKLOG: Final = 16
RETRY_S: Final = 1.0
IDLE_S: Final = 60.0
"""A caller that says nothing for so long is closed, and one that does not take its answer."""

Answer = Mapping[str, Any] | Handed
Method = Callable[[Call], Awaitable[Answer]]
Tell = Callable[[Mapping[str, Any]], Awaitable[None]]
Stream = Callable[[Call, Tell], Awaitable[None]]
"""A method with many answers, for a call that says `more`. It tells them, each when the caller has
taken the one before, until it is cancelled; or it raises CallError, which is its last answer."""


class ControlError(GatewayError):
    """The control socket cannot be made, or nobody answers on it."""

    passing = False
    """Whether it is only that the system has no room now."""


class Turns:
    """Lets one call begin in each round of the loop, in the order in which they came."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def take(self) -> None:
        """Wait for one's turn."""
        async with self._lock:
            await asyncio.sleep(0)


class Methods(Value):
    """What can be called, by names without the interface's."""

    once: Mapping[str, Method]
    more: Mapping[str, Stream] = MappingProxyType({})
    denied: frozenset[str] = frozenset()
    """Methods of the interface that are not for callers of this socket."""


class ControlServer:
    """Answers calls of `methods` at `path`, a socket of `mode`. Servers that share `turns` let one
    call begin at a time between them."""

    def __init__(
        self, path: str, methods: Methods, *, turns: Turns | None = None, mode: int = 0o660
    ) -> None:
        self.path = path
        self._methods = methods
        self._turns = turns or Turns()
        self._mode = mode
        self._sock: socket.socket | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._callers: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. Raises ControlError."""
        self._sock = listening_socket(self.path, self._mode)
        self._resume()

    def _resume(self) -> None:
        self._pause = None
        if self._sock is not None:
            asyncio.get_running_loop().add_reader(self._sock.fileno(), self._accept)

    def _accept(self) -> None:
        assert self._sock is not None
        for _ in range(BACKLOG):
            try:
                sock, _address = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                text = "cannot accept callers: %s; trying again in %g s"
                note(Happening.FAULT, text, error, RETRY_S, level=logging.WARNING)
                loop = asyncio.get_running_loop()
                loop.remove_reader(self._sock.fileno())
                self._pause = loop.call_later(RETRY_S, self._resume)
                return
            if len(self._callers) >= CALLERS:
                sock.close()
                continue
            sock.setblocking(False)
            task = asyncio.get_running_loop().create_task(self._serve(Caller(sock)))
            self._callers.add(task)
            task.add_done_callback(self._callers.discard)

    def leave(self) -> None:
        """Listen no more; the path goes. Who has called already is answered."""
        if self._sock is None:
            return
        if self._pause is not None:
            self._pause.cancel()
        else:
            asyncio.get_running_loop().remove_reader(self._sock.fileno())
        self._sock.close()
        self._sock = None
        with contextlib.suppress(OSError):
            os.unlink(self.path)

    async def stop(self) -> None:
        """Listen no more, and close all callers."""
        self.leave()
        for caller in tuple(self._callers):
            caller.cancel()
        await asyncio.gather(*self._callers, return_exceptions=True)

    async def _serve(self, caller: Caller) -> None:
        try:
            while True:
                async with asyncio.timeout(IDLE_S):
                    message = await caller.message()
                if message is None:
                    return
                await self._answer(varlink.call_of(message, caller.who), caller)
        except (varlink.FramingError, TimeoutError, OSError):
            return
        except Exception as error:  # noqa: BLE001 - our fault, and this caller's end alone
            note(Happening.FAULT, "control call failed", level=logging.ERROR, exc_info=error)
        finally:
            caller.close()

    async def _answer(self, call: Call, caller: Caller) -> None:
        await self._turns.take()
        fds: tuple[int, ...] = ()
        try:
            if call.more and (stream := self._stream(call)):
                await self._tell(stream(call, _teller(call, caller)), caller)
                return
            answer = await self._perform(call)
            if isinstance(answer, Handed):
                fds, answer = answer.fds, answer.parameters
            reply = varlink.answer(answer)
        except CallError as error:
            reply = varlink.refusal(error)
        try:
            if not call.oneway:
                async with asyncio.timeout(IDLE_S):
                    await caller.send(reply, fds)
        finally:
            for fd in fds:
                os.close(fd)

    async def _tell(self, work: Awaitable[None], caller: Caller) -> None:
        """Have a stream tell its answers until the caller hangs up. Raises CallError."""
        telling, gone = asyncio.ensure_future(work), asyncio.ensure_future(caller.gone())
        try:
            await asyncio.wait((telling, gone), return_when=asyncio.FIRST_COMPLETED)
            await (telling if telling.done() else gone)
        finally:
            telling.cancel()
            gone.cancel()
            await asyncio.gather(telling, gone, return_exceptions=True)

    def _stream(self, call: Call) -> Stream | None:
        name, _, method = call.method.rpartition(".")
        stream = self._methods.more.get(method) if name == interface.NAME else None
        if stream is not None:
            self._note(method, call)
        return stream

    async def _perform(self, call: Call) -> Answer:
        name, _, method = call.method.rpartition(".")
        if name == varlink.SERVICE:
            return _standard(call, method)
        if name != interface.NAME:
            raise CallError(f"{varlink.SERVICE}.InterfaceNotFound", {"interface": name})
        if method in self._methods.denied:
            raise CallError(varlink.PERMISSION_DENIED)
        if method in self._methods.more:
            raise CallError(varlink.EXPECTED_MORE)
        perform = self._methods.once.get(method)
        if perform is None:
            raise CallError(f"{varlink.SERVICE}.MethodNotFound", {"method": call.method})
        self._note(method, call)
        return await perform(call)

    def _note(self, method: str, call: Call) -> None:
        # The status is asked for again and again.
        level = logging.DEBUG if method in ("Status", "Changes") else logging.INFO
        note(Happening.CONTROL_CALLED, "%s by %s", method, call.caller, level=level)


def _teller(call: Call, caller: Caller) -> Tell:
    async def tell(parameters: Mapping[str, Any]) -> None:
        if not call.oneway:
            await caller.send(varlink.answer(parameters, continues=True))

    return tell


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


def listening_socket(path: str, mode: int = 0o660) -> socket.socket:
    """A unix socket at `path`, of `mode`. What a dead daemon left there goes.

    Raises ControlError, also when a living one answers there.
    """
    with contextlib.suppress(OSError):
        os.mkdir(os.path.dirname(path), 0o750)
    sock = None
    before = os.umask(0o777 & ~mode)
    try:
        _clear(path)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        sock.bind(path)
        sock.listen(BACKLOG)
    except OSError as error:
        if sock is not None:
            sock.close()
        why = os.strerror(error.errno) if error.errno else str(error)
        refused = ControlError(f"control socket {path}: {why}")
        refused.passing = error.errno in SHORTAGES
        raise refused from error
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
