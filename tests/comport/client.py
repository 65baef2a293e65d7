"""A client that sends Com Port Control requests over TCP and collects the answers."""

from __future__ import annotations

import socket
import ssl
from time import monotonic

from gatewayd.comport.wire import ANSWER, Command, Request, encode_request
from gatewayd.telnet.constants import Option, Side
from gatewayd.telnet.engine import TelnetEngine
from gatewayd.telnet.events import Subnegotiation
from tests.comport.table import Row
from tests.until import PATIENCE


class Client:
    """A session that has begun as far as the first notification.

    Raises OSError where that does not come: the server is still busy with the session before, or,
    as ser2net does now and then, has lost it and will not tell others either.
    """

    def __init__(self, address: tuple[str, int], *, context: ssl.SSLContext | None = None) -> None:
        self._socket = socket.create_connection(address, timeout=1.0)
        if context is not None:
            self._socket = context.wrap_socket(self._socket, server_hostname="localhost")
        self._engine = TelnetEngine(
            local=(Option.BINARY, Option.SUPPRESS_GO_AHEAD, Option.COM_PORT),
            remote=(Option.BINARY, Option.SUPPRESS_GO_AHEAD),
        )
        self._engine.ask(Side.LOCAL, Option.COM_PORT, enable=True)
        try:
            while not self._receive():
                pass
        except OSError:
            self._socket.close()
            raise
        self._socket.settimeout(PATIENCE)

    def close(self) -> None:
        self._socket.close()

    def perform(self, *requests: Request) -> list[bytes]:
        """The answers up to that to a query behind the requests, which is left out.

        SIGNATURE would not do as this query: ser2net answers it ahead of settings before it.
        """
        asked = {request.command for request in requests}
        fence = Command.SET_DATASIZE if Command.SET_DATASIZE not in asked else Command.SET_BAUDRATE
        for request in (*requests, Request(fence)):
            self._engine.send_subnegotiation(Option.COM_PORT, encode_request(request))
        answers: list[bytes] = []
        while not answers or answers[-1][0] != fence + ANSWER:
            answers += self._receive()
        return answers[:-1]

    def _receive(self) -> list[bytes]:
        self._socket.sendall(self._engine.data_to_send())
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionResetError("the server has closed the connection")
        return [
            event.payload
            for event in self._engine.receive_data(data)
            if isinstance(event, Subnegotiation)
        ]


def begin(address: tuple[str, int], context: ssl.SSLContext | None = None) -> Client:
    """A session, tried again until one begins well; by TLS if there is a `context`."""
    deadline = monotonic() + PATIENCE
    while True:
        try:
            return Client(address, context=context)
        except OSError:
            if monotonic() > deadline:
                raise


def play(address: tuple[str, int], row: Row, context: ssl.SSLContext | None = None) -> list[bytes]:
    """Perform a row of the table in a session of its own; its answers."""
    client = begin(address, context)
    try:
        client.perform(*row.after)
        return client.perform(row.request)
    finally:
        client.close()
