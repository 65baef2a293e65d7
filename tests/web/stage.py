"""A gateway on a stage: the control sockets of one whose ports do what a test says. For what real
lines of a test do not have: modem lines, errors, an adapter that was pulled, a lease."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import threading
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from gatewayd.control.server import ControlServer, Methods, Tell
from gatewayd.control.varlink import Call

SINCE: Final = datetime.now().astimezone().replace(hour=9, minute=12, second=0, microsecond=0)


def session(peer: str, since: datetime, name: str = "") -> dict[str, Any]:
    """As `type Session` has it."""
    return {
        "number": 1,
        "face": "rfc2217",
        "peer": peer,
        "name": name,
        "since": since.isoformat(timespec="seconds"),
        "leaving": False,
        "bytes_in": 0,
        "bytes_out": 0,
    }


def port(name: str, **other: Any) -> dict[str, Any]:
    """As `type Port` has it."""
    return {
        "name": name,
        "description": "",
        "device": "",
        "state": "ready",
        "cause": "",
        "state_since": SINCE.isoformat(timespec="seconds"),
        "line": "9600 8N1",
        "signals": [],
        "listeners": [],
        "session": None,
        "watchers": [],
        "lease": None,
        "sessions": 0,
        "refused": 0,
        "received": 0,
        "sent": 0,
        "received_discarded": 0,
        "sent_discarded": 0,
        "losses": 0,
        "lost_at": None,
        "breaks": 0,
        "framing_errors": 0,
        "parity_errors": 0,
        "overruns": 0,
        "record": None,
        **other,
    }


class Stage:
    """Its ports. What `show` changes is told to who looks on."""

    def __init__(self, directory: Path, ports: list[dict[str, Any]]) -> None:
        self.control = directory / "control"
        self._ports = {one["name"]: one for one in ports}
        self._said: dict[str, list[dict[str, Any]]] = {}
        self._loop = asyncio.new_event_loop()
        self._changed: set[str] = set()
        self._told = asyncio.Event()

    def show(self, name: str, **changes: Any) -> None:
        """Change a port."""
        self._loop.call_soon_threadsafe(self._show, name, changes)

    def _show(self, name: str, changes: Mapping[str, Any]) -> None:
        self._ports[name] |= changes
        self._changed.add(name)
        self._told.set()

    def said(self, name: str, at: datetime, text: str, **event: Any) -> None:
        """Have a device say something, to those who begin to watch from now on."""
        answer: dict[str, Any] = {"at": int(at.timestamp() * 1e6), "received": None}
        if event:
            answer["event"] = {"kind": "errors", "text": "", **event}
        else:
            answer["from_line"] = base64.b64encode(text.encode()).decode()
        self._said.setdefault(name, []).append(answer)

    async def _changes(self, call: Call, tell: Tell) -> None:
        about = {"version": "0.1.0", "since": (SINCE - timedelta(days=12)).isoformat()}
        changed = set(self._ports)
        while True:
            ports = [one for name, one in self._ports.items() if name in changed]
            await tell({**about, "names": list(self._ports), "ports": ports})
            await self._told.wait()
            self._told.clear()
            changed, self._changed = self._changed, set()

    async def _watch(self, call: Call, tell: Tell) -> None:
        await tell({"at": int(SINCE.timestamp() * 1e6), "received": 0})
        for answer in self._said.get(call.parameters["port"], ()):
            await tell(answer)
        await asyncio.Event().wait()

    async def _serve(self, ready: threading.Event, over: asyncio.Event) -> None:
        more = {"Changes": self._changes, "Watch": self._watch}
        servers = [
            ControlServer(f"{self.control}{end}", Methods({}, more)) for end in ("", "-look")
        ]
        for server in servers:
            await server.start()
        ready.set()
        await over.wait()
        for server in servers:
            await server.stop()

    @contextlib.contextmanager
    def played(self) -> Iterator[None]:
        """Serve it for the length of a `with` block."""
        ready, over = threading.Event(), asyncio.Event()
        thread = threading.Thread(
            target=lambda: self._loop.run_until_complete(self._serve(ready, over))
        )
        thread.start()
        try:
            assert ready.wait(20)
            yield
        finally:
            self._loop.call_soon_threadsafe(over.set)
            thread.join()
            self._loop.close()


def bench() -> list[dict[str, Any]]:
    """The ports of a laboratory."""
    away = datetime.now().astimezone() - timedelta(minutes=4)
    until = SINCE.replace(hour=17, minute=0).isoformat()
    watching = [
        {"peername": f"10.0.4.{host}:4011{host % 10}", "name": "", "missed": 0} for host in (21, 22)
    ]
    return [
        port(
            "psu1",
            description="bench supply, rack 2",
            device="FTDI A50285BI",
            listeners=["rfc2217 127.0.0.1:7001", "raw 127.0.0.1:7101"],
            session=session("10.0.4.17:51234", SINCE, "alice"),
            watchers=watching,
            lease={"holder": "alice", "note": "burn-in 7", "until": until, "host": ""},
            signals=["DTR", "RTS", "CTS", "DSR"],
        ),
        port(
            "dut-a",
            description="STM32 board under test",
            device="CP2102 0001",
            line="115200 8N1",
            listeners=["rfc2217 127.0.0.1:7002"],
            session=session(
                "10.0.4.90:40112", SINCE + timedelta(hours=2, minutes=35), "ci-runner-3"
            ),
            signals=["CTS"],
            framing_errors=3,
        ),
        port(
            "scope",
            description="oscilloscope, bench 4",
            device="usb 1-1.2",
            line="19200 8E1 rtscts",
            listeners=["raw 127.0.0.1:7103"],
            signals=["DTR", "RTS", "CTS", "DSR"],
        ),
        port(
            "meter2",
            description="multimeter",
            device="FTDI AB0K3XYZ",
            line="4800 7E1",
            listeners=["rfc2217 127.0.0.1:7004"],
            state="absent",
            cause="unplugged",
            state_since=away.isoformat(timespec="seconds"),
            lost_at=away.isoformat(timespec="seconds"),
            losses=3,
            session=session("10.0.4.17:51240", SINCE, "carol"),
            signals=None,
        ),
    ]


def boot(stage: Stage) -> None:
    """What the board says at its start."""
    at = SINCE.replace(hour=11, minute=52, second=4)
    for milliseconds, text in (
        (118, "U-Boot SPL 2026.04 (Apr 02 2026)\r\n"),
        (131, "DRAM:  512 MiB\r\n"),
        (602, "Hit any key to stop autoboot:  0\r\n"),
        (611, "=> run bootcmd_test\r\n"),
        (1020, "Loading Image.gz ... 8.1 MiB/s\r\n"),
    ):
        stage.said("dut-a", at + timedelta(milliseconds=milliseconds), text)
    errors = {"breaks": 1, "framing": 3, "parity": 0, "overruns": 0}
    stage.said("dut-a", at + timedelta(milliseconds=2340), "", errors=errors)
    stage.said(
        "dut-a",
        at + timedelta(milliseconds=2351),
        "[    0.000000] Booting Linux on physical CPU 0x0\r\n[    0.000000] Linux version 6.12\r\n",
    )
