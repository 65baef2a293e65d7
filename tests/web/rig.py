"""A daemon with two ports on pseudo terminals, and the page beside it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pty
import re
import socket
import tty
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from functools import partial
from pathlib import Path
from typing import Any

from tests.cli.program import Program, gatewayd
from tests.interop.instrument import Instrument
from tests.ports import free_ports
from tests.record.files import wait_for
from tests.service.running import Running
from tests.until import PATIENCE


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Message
    body: bytes


@dataclass
class Rig:
    """What runs. `device` is the far end of the line of psu1, `board` that of dut-a."""

    daemon: Running
    page: Program
    port: int
    device: Instrument
    board: Instrument
    other: int
    """The Telnet address of dut-a; that of psu1 waits a minute for a client to leave."""
    raw: int
    token_file: Path
    records: Path
    start: Callable[[], Running]
    """Starts the daemon, for `stack`."""
    stack: contextlib.ExitStack
    again: Callable[[], Program]
    """Starts the page anew at the same address, after its end."""

    @property
    def url(self) -> str:
        """Where a browser goes."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def signing_url(self) -> str:
        """Where it goes to be signed in, as `gatewayd web-token` prints it."""
        done = gatewayd("web-token", "--token", str(self.token_file), "--url", self.url)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request, with the Host and the Origin that a browser has on the page itself."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        origin = {} if method == "GET" else {"Origin": self.url.rstrip("/")}
        text = None if body is None else json.dumps(body)
        with contextlib.closing(connection):
            connection.request(method, path, text, {**origin, **(headers or {})})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())

    @property
    def token(self) -> str:
        """The token alone."""
        return self.signing_url.partition("#token=")[2]

    def until(self, port: str, holds: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """What the daemon tells of a port, once `holds` is true of it."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(PATIENCE)
            sock.connect(str(self.daemon.control))
            call = {"method": "io.gatewayd.Gateway.Changes", "more": True}
            sock.sendall(json.dumps(call).encode() + b"\0")
            rest = b""
            while True:
                received = sock.recv(65536)
                assert received
                *messages, rest = (rest + received).split(b"\0")
                for message in messages:
                    for one in json.loads(message)["parameters"]["ports"]:
                        if one["name"] == port and holds(one):
                            return dict(one)

    def until_free(self, port: str = "psu1") -> None:
        """Wait until nobody holds a port."""
        self.until(port, lambda one: one["session"] is None)

    def until_recorded(self, port: str, text: str) -> None:
        """Wait until the record of a port has that text."""
        wait_for(self.records / port, re.escape(text))

    def memory(self) -> int:
        """What the page has of its own, in bytes."""
        lines = Path(f"/proc/{self.page.process.pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) << 10 for line in lines if "Private_Dirty" in line)

    def looking(self) -> int:
        """How many connections the daemon has on the socket of those who only look."""
        path = f"{self.daemon.control}-look"
        lines = Path("/proc/net/unix").read_text().splitlines()
        return sum(line.endswith(f" {path}") and line.split()[5] == "03" for line in lines)

    def stop(self) -> None:
        """End the daemon."""
        self.stack.close()

    def restart(self) -> None:
        """Start the daemon anew, after `stop`."""
        self.daemon = self.stack.enter_context(self.start())

    def cookie(self) -> str:
        """A Cookie header of somebody who has signed in."""
        return signed_in(self.port, self.token)["Cookie"]


def signed_in(port: int, token: str) -> dict[str, str]:
    """The headers of a browser that has signed in to the page at `port`."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    with contextlib.closing(connection):
        origin = {"Origin": f"http://127.0.0.1:{port}"}
        connection.request("POST", "/sign-in", json.dumps({"token": token}), origin)
        answer = connection.getresponse()
        assert answer.status == 200
        return {"Cookie": str(answer.headers["Set-Cookie"]).partition(";")[0]}


@contextlib.contextmanager
def rig(directory: Path) -> Iterator[Rig]:
    """Run it for the length of a `with` block."""
    with contextlib.ExitStack() as stack:
        ends = []
        for name in ("psu1", "dut-a"):
            ours, theirs = pty.openpty()
            tty.setraw(theirs)
            stack.callback(os.close, theirs)
            link = directory / name
            link.symlink_to(os.ttyname(theirs))
            ends.append(stack.enter_context(contextlib.closing(Instrument(ours))))
        rfc2217, raw, other = free_ports(3)
        records = directory / "records"
        records.mkdir()
        absent = free_ports(1)[0]
        ports = (
            f"  psu1: {{device: {directory}/psu1, description: 'bench supply, rack 2', "
            f"rfc2217: {rfc2217}, raw: {raw}, busy: wait 60s, replay: 4KiB, "
            "echo: client, record: output}\n"
            f"  dut-a: {{device: {directory}/dut-a, description: STM32 board under test, "
            f"line: 115200 8N1, rfc2217: {other}, busy: watch}}\n"
            f"  scope: {{device: /dev/serial/by-id/none, description: 'oscilloscope, bench 4', "
            f"raw: {absent}}}\n"
        )

        def start() -> Running:
            return Running(directory, ports, top=f"record: {{directory: {records}}}\n")

        daemons = stack.enter_context(contextlib.ExitStack())
        daemon = daemons.enter_context(start())
        daemon.wait_for_more(r"open, (9600|115200) 8N1", 2)
        token = directory / "token"
        options = ("--control", str(daemon.control), "--token", str(token))
        pages = stack.enter_context(contextlib.ExitStack())

        def begin(port: int) -> Program:
            pages.pop_all()
            return pages.enter_context(Program("web", "--listen", f"127.0.0.1:{port}", *options))

        page = begin(0)
        port = int(page.wait_for(r"the page is at http://127\.0\.0\.1:(\d+)/")[1])
        again = partial(begin, port)
        yield Rig(
            daemon, page, port, ends[0], ends[1], other, raw, token, records, start, daemons, again
        )
