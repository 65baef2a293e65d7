"""What passes over a line now: `gatewayd watch`, in each of its forms."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayd.comport.wire import Command, Control
from gatewayd.record.live import Capture, Hex, Lines, Live
from tests.cli.program import ROOT
from tests.ports import free_ports
from tests.record import tshark
from tests.record.modbus import DECODED, QUERY, RESPONSE
from tests.record.tshark import needs_tshark
from tests.service.adapter import Adapter
from tests.service.client import Client, connect, receive
from tests.service.running import Running
from tests.until import PATIENCE, until_files
from tests.watched import Watched

PORT: dict[str, Any] = {
    "name": "psu1",
    "state": "ready",
    "description": "supply",
    "device": "/dev/a",
    "line": "9600 8N1",
    "signals": ["DTR"],
    "breaks": 0,
    "framing_errors": 2,
    "parity_errors": 0,
    "overruns": 0,
    "buffer_overruns": 0,
}
WHEN = 1764058323_118000


def answer(**others: Any) -> dict[str, Any]:
    """An answer of `Watch`."""
    plain = dict.fromkeys(("from_line", "to_line", "event", "received", "replay"))
    return {**plain, "at": WHEN, "missed": 0, "missed_events": 0, **others}


def event(kind: str, **others: Any) -> dict[str, Any]:
    """An answer with an event."""
    plain = {**dict.fromkeys(("text", "peer", "name", "face"), ""), "kind": kind, "count": 0}
    return answer(event={**plain, **dict.fromkeys(("line", "signals", "errors")), **others})


ERRORS = {"breaks": 1, "framing": 2, "parity": 0, "overruns": 0, "buffer_overruns": 3}
ANSWERS = [
    answer(received=100),
    answer(to_line="KklETj8K"),
    answer(from_line="R0FURQ=="),
    answer(from_line="V0FZRA0K"),
    event("signals", signals=["CTS"]),
    event("errors", errors=ERRORS),
    event("session-closed", peer="10.0.0.7:5", face="raw"),
    event("device", text="absent: hung up"),
    event("a-new-kind", text="what it was"),
    answer(missed=4711),
    answer(missed_events=1),
    answer(from_line="bG9naW46IA=="),
]


def test_as_lines() -> None:
    form = Lines()
    live = Live(PORT, form)
    written = b"".join(live.answer(one) for one in ANSWERS) + form.rest()
    assert [line[30:] for line in written.decode().splitlines()] == [
        "! looking on at psu1: ready, 9600 8N1",
        "> *IDN?",
        "< GATEWAYD",
        "! DTR off, CTS on",
        "! break received",
        "! 3 buffer overruns",
        "! 10.0.0.7:5 left (raw)",
        "! device absent: hung up",
        "! a-new-kind what it was",
        "! 4711 bytes missed",
        "! something is missing",
        "< login: ",
    ]


def test_in_hexadecimal() -> None:
    form = Hex()
    live = Live(PORT, form)
    written = b"".join(live.answer(one) for one in ANSWERS[:5]) + form.rest()
    assert [line[30:] for line in written.decode().splitlines()] == [
        "! looking on at psu1: ready, 9600 8N1",
        "> 2a 49 44 4e 3f 0a                                *IDN?.",
        "< 47 41 54 45 57 41 59 44 0d 0a                    GATEWAYD..",
        "! DTR off, CTS on",
    ]


def test_what_was_before_is_marked() -> None:
    form = Lines()
    live = Live(PORT, form)
    answers = [answer(received=9, replay="b25lCnR3bw=="), answer(from_line="dGhyZWUK")]
    written = b"".join(live.answer(one) for one in answers)
    assert [line[30:] for line in written.decode().splitlines()] == [
        "! looking on at psu1: ready, 9600 8N1",
        "! what it said before, without its time",
        "< one",
        "< two",
        "! what it says now",
        "< three",
    ]


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=40)), max_size=10))
def test_hexadecimal_loses_nothing(pieces: list[tuple[bool, bytes]]) -> None:
    from base64 import b64encode

    form = Hex()
    live = Live(PORT, form)
    sides = {True: "from_line", False: "to_line"}
    written = b"".join(
        live.answer(answer(**{sides[device]: b64encode(data).decode()})) for device, data in pieces
    )
    rows = (written + form.rest()).decode("ascii").splitlines()
    for device, mark in ((True, "<"), (False, ">")):
        found = b"".join(bytes.fromhex(row[32:79]) for row in rows if row[30] == mark)
        assert found == b"".join(data for one, data in pieces if one is device)


@needs_tshark
def test_as_packets(tmp_path: Path) -> None:
    form = Capture(PORT, "gatewayd 1")
    live = Live(PORT, form)
    file = tmp_path / "a.pcapng"
    written = b"".join(live.answer(one) for one in ANSWERS)
    file.write_bytes(form.begin() + written + form.rest())
    found = tshark.fields(file, "rtacser.eventtype", "rtacser.dtr", "data.data", "frame.comment")
    assert found[:5] == [
        ("0x00", "1", "", "looking on at psu1: ready, 9600 8N1"),
        ("0x01", "1", b"*IDN?\n".hex(), ""),
        ("0x02", "1", b"GATEWAYD\r\n".hex(), ""),
        ("0x00", "0", "", "DTR off, CTS on"),
        ("0x09", "0", "", "break received"),
    ]
    assert ("0x05", "0", "", "4711 bytes missed") in found
    assert tshark.fields(file, "frame.interface_description")[0] == ("supply: /dev/a, 9600 8N1",)


# ---- with a daemon


class Bench:
    """A port `plc` on an adapter, which is not recorded."""

    def __init__(self, directory: Path) -> None:
        self.rfc2217, self.raw = free_ports(2)
        self.adapter = Adapter(directory / "ttyUSB0")
        entry = f"device: {self.adapter.path}, rfc2217: {self.rfc2217}, raw: {self.raw}"
        self.daemon = Running(directory, f"  plc: {{{entry}, replay: 64KiB}}\n")

    def watch(self, *arguments: str) -> list[str]:
        """The command line that watches it."""
        control = ("--control", str(self.daemon.control))
        return [sys.executable, "-m", "gatewayd", "watch", "plc", *arguments, *control]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    with bench.adapter, bench.daemon:
        bench.daemon.wait_for("plc: .* open, ")
        yield bench


def test_a_person_looks_on(bench: Bench) -> None:
    with Watched(bench.watch(), directory=ROOT) as watching:
        watching.wait_for("! looking on at plc: ready, 9600 8N1")
        with connect(bench.raw) as client:
            client.sendall(b"*IDN?\n")
            bench.adapter.read(6)
            watching.wait_for(r"\S+ ! \S+ took the port \(raw\)\n\S+ > \*IDN\?\n")
            bench.adapter.write(b"login: ")
            # It is no line yet.
            watching.wait_for(r"\S+ < login: \n")
        watching.wait_for(r"left \(raw\)")
        assert watching.stop(signal.SIGINT) == 130
        assert "Traceback" not in watching.text


def test_the_end_of_the_daemon_is_the_end(bench: Bench) -> None:
    with Watched(bench.watch("--hex"), directory=ROOT) as watching:
        watching.wait_for("! looking on at plc: ")
        bench.adapter.write(b"\x00\xff")
        watching.wait_for(r"\S+ < 00 ff +\.\.\n")
        bench.daemon.signal(signal.SIGTERM)
        assert bench.daemon.wait() == 0
        watching.wait_for("gatewayd has stopped")
        assert watching.process.wait(PATIENCE) == 1
        assert "Traceback" not in watching.text


def test_what_was_said_last_is_replayed_to_who_looks_and_to_nobody_else(bench: Bench) -> None:
    lines = [b"%08d %b\r\n" % (number, b"x" * 88) for number in range(1024)]
    with connect(bench.raw) as client:
        for line in lines:
            # A PTY has room for 4 KiB: each is taken before the next.
            bench.adapter.write(line)
            assert receive(client, len(line)) == line
    bench.daemon.wait_for("raw session from .* over")
    with Watched(bench.watch("--replay"), directory=ROOT) as watching:
        watching.wait_for(r"! what it said before, without its time\n")
        watching.wait_for(r"< 00001023 x+\n")
        with Client(bench.rfc2217) as client:
            bench.adapter.write(b"now\r\n")
            assert client.read(5) == b"now\r\n"
        watching.wait_for(r"! what it says now\n(.*\n)+\S+ < now\n")
    replayed = re.findall(r"< ([0-9x ]+)\n", watching.text)
    whole = b"".join(lines)[-65536:].decode().split("\r\n")
    assert replayed == whole[:-1]


def test_what_cannot_be_watched(bench: Bench) -> None:
    done = bench.daemon.command("watch", "psu9")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "there is no port psu9\n")
    ours, theirs = pty.openpty()
    try:
        done_there = subprocess.run(
            bench.watch("--pcapng"), stdout=theirs, stderr=subprocess.PIPE, cwd=ROOT, check=False
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert done_there.returncode == 1
    assert b"packets are not for a terminal" in done_there.stderr


@needs_tshark
@pytest.mark.interop
def test_tshark_decodes_modbus_as_it_passes(bench: Bench) -> None:
    reading = ["tshark", "-i", "-", "-l", "-d", "rtacser.data,mbrtu"]
    with ExitStack() as stack:
        watching = subprocess.Popen(bench.watch("--pcapng"), cwd=ROOT, stdout=subprocess.PIPE)
        stack.callback(watching.wait, PATIENCE)
        stack.callback(watching.terminate)
        assert watching.stdout is not None
        stack.callback(watching.stdout.close)
        shown = stack.enter_context(Watched(reading, source=watching.stdout))
        # It may be a moment until it takes what comes by the pipe.
        shown.wait_for("Status Change|STATUS")
        with connect(bench.raw) as client:
            client.sendall(QUERY)
            bench.adapter.read(len(QUERY))
            bench.adapter.write(RESPONSE)
            for line in DECODED:
                shown.wait_for(re.escape(line))


@needs_tshark
@pytest.mark.interop
def test_what_a_client_does_to_the_line_is_in_the_packets(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "seen.pcapng"
    with file.open("wb") as written:
        watching = subprocess.Popen(bench.watch("--pcapng"), cwd=ROOT, stdout=written)
    try:
        bench.daemon.wait_for("Watch by ")
        until_files(lambda: file.stat().st_size > 0, file)
        with Client(bench.rfc2217) as client:
            for control in (Control.BREAK_ON, Control.BREAK_OFF, Control.DTR_OFF):
                client.ask(Command.SET_CONTROL, control)
            client.send(b"x")
            bench.adapter.read(1)
        bench.daemon.wait_for("session from .* over")
        bench.daemon.signal(signal.SIGTERM)
        assert bench.daemon.wait() == 0
        assert watching.wait(PATIENCE) == 1
    finally:
        watching.kill()
        watching.wait()
    events = [event for (event,) in tshark.fields(file, "rtacser.eventtype")]
    assert "0x09" in events
    comments = [comment for (comment,) in tshark.fields(file, "frame.comment")]
    assert "break sent" in comments
    assert "alformed" not in tshark.run(file, "-V")
