"""A Telnet client for the front desk, on a terminal or for a script."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import signal
import socket
import sys
import termios
import tty
from collections.abc import Iterator
from types import FrameType
from typing import Final

from gatewayd.errors import GatewayError
from gatewayd.telnet.constants import Option, Side
from gatewayd.telnet.engine import TelnetEngine
from gatewayd.telnet.events import OptionChanged
from gatewayd.typed import Protocol

BLOCK: Final = 65536
_ANSWER: Final = re.compile(rb"(?:^|\n|port> )(\+OK|-ERR) ([^\r\n]*)\r?\n")
_MOST_BEFORE: Final = 1 << 20


class User(Protocol):
    """Who is at this end."""

    engine: TelnetEngine

    def begin(self) -> bytes:
        """What is sent first."""

    def changed(self, event: OptionChanged) -> None:
        """An option was agreed."""

    def shown(self, data: bytes) -> bytes:
        """What of the data is for standard output. Raises GatewayError."""

    def over(self, *, left: bool) -> None:
        """The connection is over; `left` if we had ended it. Raises GatewayError when that was too
        early."""

    def around(self) -> contextlib.AbstractContextManager[None]:
        """Have the terminal as it is to be."""


class Screen:
    """A person at a terminal, each key of which is the gateway's."""

    def __init__(self) -> None:
        self.engine = TelnetEngine(
            local=(Option.BINARY, Option.SUPPRESS_GO_AHEAD, Option.NAWS),
            remote=(Option.BINARY, Option.SUPPRESS_GO_AHEAD, Option.ECHO),
        )

    def begin(self) -> bytes:
        """Nothing: the desk speaks first."""
        return b""

    def changed(self, event: OptionChanged) -> None:
        """Tell the size of the window when it may be told."""
        if event == OptionChanged(Side.LOCAL, Option.NAWS, enabled=True):
            self.resized()

    def resized(self) -> None:
        """Tell the size of the window (RFC 1073)."""
        if self.engine.is_enabled(Side.LOCAL, Option.NAWS):
            size = shutil.get_terminal_size()
            payload = size.columns.to_bytes(2, "big") + size.lines.to_bytes(2, "big")
            self.engine.send_subnegotiation(Option.NAWS, payload)

    def shown(self, data: bytes) -> bytes:
        """All of it."""
        return data

    def over(self, *, left: bool) -> None:
        """That is told by the gateway."""

    @contextlib.contextmanager
    def around(self) -> Iterator[None]:
        """Every key as it is typed; as before, however it ends."""
        fd = sys.stdin.fileno()
        before = termios.tcgetattr(fd)
        former = signal.signal(signal.SIGTERM, _leave)
        try:
            tty.setraw(fd)
            yield
        finally:
            termios.tcsetattr(fd, termios.TCSADRAIN, before)
            signal.signal(signal.SIGTERM, former)


class Program:
    """A script: it asks for its port, and sees what the device says."""

    def __init__(self, port: str) -> None:
        self.engine = TelnetEngine(
            local=(Option.BINARY, Option.SUPPRESS_GO_AHEAD),
            remote=(Option.BINARY, Option.SUPPRESS_GO_AHEAD),
        )
        self._port = port
        self._before: bytearray | None = bytearray()
        """What came before the answer, until that is there."""

    def begin(self) -> bytes:
        """Ask for the port."""
        return f"PORT {self._port}\r\n".encode()

    def changed(self, event: OptionChanged) -> None:
        """Whatever it is."""

    def shown(self, data: bytes) -> bytes:
        """What comes behind the answer."""
        if self._before is None:
            return data
        self._before += data
        answer = _ANSWER.search(self._before)
        if answer is None:
            if len(self._before) > _MOST_BEFORE:
                raise GatewayError("the desk does not answer")
            return b""
        if answer[1] == b"-ERR":
            raise GatewayError(answer[2].decode("ascii", "replace"))
        rest, self._before = bytes(self._before[answer.end() :]), None
        return rest

    def over(self, *, left: bool) -> None:
        """An answer must have come, and what there was to send must have been taken."""
        if self._before is not None:
            raise GatewayError("gatewayd closed without an answer")
        if not left:
            raise GatewayError("gatewayd ended the session before the input was over; see its log")

    def around(self) -> contextlib.AbstractContextManager[None]:
        """As it is."""
        return contextlib.nullcontext()


def pump(sock: socket.socket, user: User) -> int:
    """Between standard input and output and a connection, until that is over. Raises
    GatewayError."""
    with user.around(), _woken(user) as woken:
        return _Pump(sock, user, woken).run()


@contextlib.contextmanager
def _woken(user: User) -> Iterator[int]:
    """A descriptor that can be read when the window has another size."""
    if not isinstance(user, Screen):
        yield -1
        return
    ours, theirs = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    former = signal.signal(signal.SIGWINCH, _nothing)
    wakeup = signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
    try:
        yield ours
    finally:
        signal.set_wakeup_fd(wakeup)
        signal.signal(signal.SIGWINCH, former)
        os.close(ours)
        os.close(theirs)


class _Pump:
    def __init__(self, sock: socket.socket, user: User, woken: int) -> None:
        self._sock = sock
        self._user = user
        self._engine = user.engine
        self._woken = woken
        self._unsent = bytearray(self._engine.encode(user.begin()))
        self._typed = sys.stdin.fileno()
        self._ended = False
        """There is nothing more to send."""
        self._shut = False
        sock.setblocking(False)

    def run(self) -> int:
        while True:
            poll = select.poll()
            poll.register(self._sock, select.POLLIN | (select.POLLOUT if self._unsent else 0))
            if not self._ended and not self._unsent:
                poll.register(self._typed, select.POLLIN)
            if self._woken >= 0:
                poll.register(self._woken, select.POLLIN)
            ready = {fd for fd, _ in poll.poll()}
            if self._woken in ready and isinstance(self._user, Screen):
                os.read(self._woken, BLOCK)
                self._user.resized()
            if self._typed in ready:
                self._read()
            if self._sock.fileno() in ready and not self._receive():
                self._user.over(left=self._shut)
                return 0
            self._send()

    def _read(self) -> None:
        data = os.read(self._typed, BLOCK)
        if data:
            self._unsent += self._engine.encode(data)
        else:
            self._ended = True

    def _receive(self) -> bool:
        try:
            data = self._sock.recv(BLOCK)
        except (BlockingIOError, InterruptedError):
            return True
        except ConnectionError:
            return False
        if not data:
            return False
        for event in self._engine.receive_data(data):
            if isinstance(event, bytes):
                _put(self._user.shown(event))
            elif isinstance(event, OptionChanged):
                self._user.changed(event)
        return True

    def _send(self) -> None:
        self._unsent += self._engine.data_to_send()
        try:
            if self._unsent:
                del self._unsent[: self._sock.send(self._unsent)]
            if self._ended and not self._unsent and not self._shut:
                self._shut = True
                self._sock.shutdown(socket.SHUT_WR)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            # It is over; what was said before is read yet.
            self._unsent.clear()
            self._ended = True


def _put(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(sys.stdout.fileno(), view) :]


def _leave(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(143)


def _nothing(_signal: int, _frame: FrameType | None) -> None:
    return
