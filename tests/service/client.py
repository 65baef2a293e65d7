"""Clients of a port: a Telnet one that negotiates, and a plain socket."""

from __future__ import annotations

import socket
from types import TracebackType

from gatewayd.comport.wire import ANSWER, Command, Request, encode_request
from gatewayd.telnet.constants import Option, Side
from gatewayd.telnet.engine import TelnetEngine
from gatewayd.telnet.events import Subnegotiation
from tests.service.adapter import Adapter
from tests.until import PATIENCE


def read_until(sock: socket.socket, wanted: bytes) -> bytes:
    """What comes until `wanted` has."""
    got = b""
    while wanted not in got:
        data = sock.recv(65536)
        assert data, f"closed after {got!r}"
        got += data
    return got


def connect(port: int) -> socket.socket:
    """A connection to the raw face at `port` of the loopback interface."""
    return socket.create_connection(("127.0.0.1", port), PATIENCE)


def receive(sock: socket.socket, size: int) -> bytes:
    """`size` bytes from a connection."""
    got = b""
    while len(got) < size:
        data = sock.recv(size - len(got))
        assert data, f"closed after {got!r}"
        got += data
    return got


def closed(sock: socket.socket) -> bool:
    """Whether the other side closes without one more byte."""
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


def talk(sock: socket.socket, adapter: Adapter) -> None:
    """See that the two are connected."""
    sock.sendall(b"question")
    assert adapter.read(8) == b"question"
    adapter.write(b"answer")
    assert receive(sock, 6) == b"answer"


class Talk:
    """What a client of the RFC 2217 face says and hears; what the device said is in `data`."""

    def __init__(self, *, com_port: bool = True) -> None:
        self.data = b""
        self.answers: list[bytes] = []
        """Payloads of Com Port Control, the command first."""
        also = (Option.COM_PORT,) if com_port else ()
        self.engine = TelnetEngine(
            local=(Option.BINARY, Option.SUPPRESS_GO_AHEAD, *also),
            remote=(Option.BINARY, Option.SUPPRESS_GO_AHEAD, Option.ECHO),
        )
        for side in Side:
            self.engine.ask(side, Option.BINARY, enable=True)
        if com_port:
            self.engine.ask(Side.LOCAL, Option.COM_PORT, enable=True)

    def hear(self, data: bytes) -> None:
        """Bytes from the gateway."""
        for event in self.engine.receive_data(data):
            if isinstance(event, bytes):
                self.data += event
            elif isinstance(event, Subnegotiation):
                self.answers.append(event.payload)

    def tell(self, command: Command, value: int = 0) -> None:
        """Make a request."""
        payload = encode_request(Request(command, value))
        self.engine.send_subnegotiation(Option.COM_PORT, payload)

    def answer(self, command: int) -> int | None:
        """The value of the next answer or notification of this kind, if there is one; those before
        it go."""
        for at, answer in enumerate(self.answers):
            if answer[0] == command:
                del self.answers[: at + 1]
                return int.from_bytes(answer[1:], "big")
        return None

    def take(self, size: int) -> bytes:
        """`size` bytes of what the device said."""
        data, self.data = self.data[:size], self.data[size:]
        return data


class Client:
    """A client of the RFC 2217 face, on a socket that it waits for."""

    def __init__(self, port: int | socket.socket, *, com_port: bool = True) -> None:
        """`port` is one of the loopback interface, or a connection."""
        self.socket = connect(port) if isinstance(port, int) else port
        self.talk = Talk(com_port=com_port)

    def ask(self, command: Command, value: int = 0) -> int:
        """Send a request; the value of its answer."""
        self.tell(command, value)
        return self.wait_for(command + ANSWER)

    def tell(self, command: Command, value: int = 0) -> None:
        """Send a request, and do not wait for the answer."""
        self.talk.tell(command, value)
        self.flush()

    def wait_for(self, command: int) -> int:
        """The value of the next answer or notification of this kind; those before it go."""
        while (value := self.talk.answer(command)) is None:
            assert self.receive(), f"closed before {command}"
        return value

    def send(self, data: bytes) -> None:
        """Bytes for the device."""
        self.flush()
        self.socket.sendall(self.talk.engine.encode(data))

    def read(self, size: int) -> bytes:
        """`size` bytes of what the device said."""
        while len(self.talk.data) < size:
            assert self.receive(), f"closed after {self.talk.data!r}"
        return self.talk.take(size)

    def read_until(self, text: bytes) -> bytes:
        """What the device, or the gateway, says up to and with `text`."""
        while text not in self.talk.data:
            assert self.receive(), f"closed after {self.talk.data!r}"
        return self.talk.take(self.talk.data.index(text) + len(text))

    def read_to_end(self) -> bytes:
        """What the device, or the gateway, says until the gateway closes."""
        while self.receive():
            pass
        return self.talk.data

    def receive(self) -> bool:
        """Take what comes next; False when the gateway has closed."""
        self.flush()
        data = self.socket.recv(65536)
        self.talk.hear(data)
        return bool(data)

    def flush(self) -> None:
        """Send what the negotiation has to say."""
        self.socket.sendall(self.talk.engine.data_to_send())

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.socket.close()
