"""What the table says of ser2net, asked of ser2net: the same requests, on a PTY."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tty
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from gatewayd.comport.wire import ANSWER, Command, Request, encode_request
from gatewayd.telnet.constants import Option, Side
from gatewayd.telnet.engine import TelnetEngine
from gatewayd.telnet.events import Subnegotiation
from tests.comport.table import TABLE, Row
from tests.comport.test_table import named

pytestmark = pytest.mark.interop

FETCHED = Path(__file__).parents[2] / ".venv/fetched/ser2net/usr/sbin"
MEASURED = "4.3.11"
PATIENCE = 10.0
"""Seconds after which something that should have come will not."""


@pytest.fixture(scope="module")
def ser2net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """Debian's ser2net with an RFC 2217 port on a PTY: the address of the port."""
    program = shutil.which("ser2net", path=f"{FETCHED}:/usr/sbin")
    if program is None:
        pytest.skip("ser2net is not there; ./dev test fetches it")
    version = subprocess.run([program, "-v"], capture_output=True, text=True, check=False).stdout
    if MEASURED not in version:
        pytest.skip(f"the table is of ser2net {MEASURED}, this is {version.strip()}")
    master, slave = os.openpty()
    tty.setraw(slave)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address: tuple[str, int] = probe.getsockname()
    config = tmp_path_factory.mktemp("ser2net") / "ser2net.yaml"
    config.write_text(
        "connection: &one\n"
        f"  accepter: telnet(rfc2217),tcp,127.0.0.1,{address[1]}\n"
        f"  connector: serialdev(nouucplock=true),{os.ttyname(slave)},9600n81,local\n"
    )
    process = subprocess.Popen(
        [program, "-n", "-d", "-u", "-c", str(config)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield address
    finally:
        process.terminate()
        process.wait()
        os.close(slave)
        os.close(master)


class Client:
    """A session that has begun as far as ser2net's first notification.

    Raises OSError where it does not come: ser2net is still busy with the session before, or has
    lost the notification, as it does now and then, and will not tell the others either.
    """

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, timeout=1.0)
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
            raise ConnectionResetError("ser2net has closed the connection")
        return [
            event.payload
            for event in self._engine.receive_data(data)
            if isinstance(event, Subnegotiation)
        ]


def begin(address: tuple[str, int]) -> Client:
    """A session with ser2net, tried again until one begins well."""
    deadline = monotonic() + PATIENCE
    while True:
        try:
            return Client(address)
        except OSError:
            if monotonic() > deadline:
                raise


@pytest.mark.parametrize("row", named(TABLE))
def test_ser2net_answers_as_the_table_says(ser2net: tuple[str, int], row: Row) -> None:
    client = begin(ser2net)
    try:
        client.perform(*row.after)
        answers = client.perform(row.request)
    finally:
        client.close()
    assert answers == list(row.answers if row.ser2net is None else row.ser2net)
