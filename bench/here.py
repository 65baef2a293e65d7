"""`bench/run --here`: what gatewayd takes on this machine, on an adapter with TX tied to RX.

Needs no compiler and no other gateway; where ser2net is installed it is measured as well. The
client is this program, in Python: its own time is in every round trip, the gateway's CPU is not
touched by it.
"""

from __future__ import annotations

import os
import select
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from bench import process
from bench.subjects import Line, Subject, gatewayd, ser2net
from bench.table import number
from bench.toolchain import SER2NET, BenchError
from tests.ports import free_ports

PATIENCE_S: Final = 10.0
"""Without a byte for so long, nothing comes any more."""
IDLE_S: Final = 10.0
SIZES: Final = (1, 16, 256)
LONGEST_S: Final = 15.0
"""Of the round trips of one size, where the line is slow."""
_BITS: Final = 10
"""Of a character on the line, with its start and stop bit."""

_IAC: Final = b"\xff"
_COM_PORT_WILL: Final = b"\xff\xfb\x2c"
_BINARY: Final = b"\xff\xfb\x00\xff\xfd\x00"
_SET_BAUDRATE: Final = b"\xff\xfa\x2c\x01%s\xff\xf0"
_BAUDRATE_IS: Final = b"\xff\xfa\x2c\x65"


class Effort(NamedTuple):
    """How long it takes."""

    rounds: int
    bulk_s: float
    visits_s: float


FULL: Final = Effort(500, 10.0, 5.0)
QUICK: Final = Effort(50, 1.0, 1.0)

Figures = dict[str, float | None]


def main(device: str | None, baudrate: int, python: str, quick: bool) -> int:
    """Print the table. Raises BenchError."""
    device = device or the_adapter()
    if not os.path.exists(device):
        raise BenchError(f"{device} is not there")
    subjects = [gatewayd(python)]
    if os.access(SER2NET, os.X_OK):
        subjects += [ser2net(tuned=False), ser2net(tuned=True)]
    effort = QUICK if quick else FULL
    print(table(device, baudrate, subjects, effort))
    return 0


def the_adapter() -> str:
    """The one serial adapter of this machine. Raises BenchError."""
    found = sorted(
        str(path) for kind in ("USB", "ACM") for path in Path("/dev").glob(f"tty{kind}*")
    )
    if len(found) != 1:
        what = ", ".join(found) or "none"
        raise BenchError(f"adapters here: {what}; name one with --device")
    return found[0]


def table(device: str, baudrate: int, subjects: Sequence[Subject], effort: Effort) -> str:
    """The figures of each gateway in turn, as Markdown. Raises BenchError."""
    results = [measured(subject, device, baudrate, effort) for subject in subjects]
    heads = ["figure", *(subject.title for subject in subjects)]
    lines = [heads, ["---", *("---:" for _ in subjects)]]
    lines += [[name, *(number(one.get(name)) for one in results)] for name in results[0]]
    text = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    return f"{text}\n\n{device}, {baudrate} baud, what is sent comes back; {_machine()}.\n"


def _machine() -> str:
    name = os.uname()
    model = Path("/proc/device-tree/model")
    board = model.read_text().strip("\0\n") if model.exists() else name.machine
    return f"{os.cpu_count()} cores of {board}, Linux {name.release}"


def measured(subject: Subject, device: str, baudrate: int, effort: Effort) -> Figures:
    """All figures of one gateway. Raises BenchError."""
    (port,) = free_ports(1)
    figures: Figures = {}
    with _started(subject, Line(device, port), figures) as pid:
        with Client(port) as client:
            for size in SIZES:
                figures |= _round_trips(client, pid, size, effort.rounds, baudrate)
            figures |= _bulk(client, pid, effort.bulk_s, baudrate)
            woken, cpu = process.wakeups(pid), process.cpu_seconds(pid)
            time.sleep(IDLE_S)
            figures[f"idle, wake-ups in {IDLE_S:.0f} s"] = process.wakeups(pid) - woken
            figures[f"idle, CPU in {IDLE_S:.0f} s, ms"] = (process.cpu_seconds(pid) - cpu) * 1e3
            figures["idle, PSS, MB"] = process.pss_mb(pid)
        figures |= _visits(port, pid, effort.visits_s, baudrate)
    return figures


@contextmanager
def _started(subject: Subject, line: Line, figures: Figures) -> Iterator[int]:
    directory = Path(tempfile.mkdtemp(prefix="bench-here-"))
    argv = subject.command([line], directory)
    started = time.monotonic()
    with open(directory / "log", "wb") as log:
        gateway = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        while True:
            with suppress(OSError), Client(line.tcp_port):
                break
            if gateway.poll() is not None or time.monotonic() > started + 30:
                said = (directory / "log").read_text(errors="replace")[-1000:].strip()
                raise BenchError(f"{subject.title} serves nothing: {said}")
            time.sleep(0.001)  # it tells nobody that it listens now
        figures["start to the first agreed client, ms"] = (time.monotonic() - started) * 1e3
        figures["start, CPU, ms"] = process.whole_cpu_seconds(gateway.pid) * 1e3
        yield gateway.pid
    finally:
        gateway.terminate()
        gateway.wait(10)
        shutil.rmtree(directory, ignore_errors=True)


class Client:
    """A client in BINARY mode that has agreed on Com Port Control; raises OSError or BenchError."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Client:
        try:
            self.sock.sendall(_BINARY + _COM_PORT_WILL)
            # The answer to a setting of no effect is behind all that is agreed.
            self.set_baudrate(0)
            self._drain()
        except BaseException:
            self.sock.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def _drain(self) -> None:
        """Read what is still on its way of the beginning."""
        while select.select([self.sock], [], [], 0.2)[0]:
            if not self.sock.recv(65536):
                raise ConnectionError("closed by the gateway")

    def set_baudrate(self, baudrate: int) -> None:
        """Set it and wait for the answer; 0 asks."""
        value = baudrate.to_bytes(4, "big").replace(_IAC, _IAC * 2)
        self.sock.sendall(_SET_BAUDRATE % value)
        got = b""
        while _BAUDRATE_IS not in got or not got.endswith(b"\xff\xf0"):
            got += self._some()

    def _some(self) -> bytes:
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError("closed by the gateway")
        return data

    def receive(self, size: int) -> bytes:
        """So many bytes of data; content has no IAC. Raises BenchError when they do not come."""
        got = b""
        try:
            while len(got) < size:
                got += self._some()
        except TimeoutError:
            raise BenchError(f"of {size} bytes {len(got)} came back: is TX tied to RX?") from None
        return got


def _content(size: int) -> bytes:
    return bytes(32 + at % 90 for at in range(size))


def _round_trips(client: Client, pid: int, size: int, rounds: int, baudrate: int) -> Figures:
    sent = _content(size)
    times: list[float] = []
    cpu, started = process.cpu_seconds(pid), time.monotonic()
    while len(times) < rounds and time.monotonic() < started + LONGEST_S:
        begun = time.perf_counter()
        client.sock.sendall(sent)
        if client.receive(size) != sent:
            raise BenchError("what came back is not what was sent")
        times.append((time.perf_counter() - begun) * 1e6)
    cpu = process.cpu_seconds(pid) - cpu
    name = f"round trip, {size} byte{'s' * (size > 1)}"
    times.sort()
    return {
        f"{name}, p50, µs": statistics.median(times),
        f"{name}, p99, µs": times[int(len(times) * 0.99)],
        f"{name}, of it on the line, µs": size * _BITS / baudrate * 1e6,
        f"{name}, CPU per 1000, ms": cpu * 1e6 / len(times),
    }


def _bulk(client: Client, pid: int, seconds: float, baudrate: int) -> Figures:
    """Both ways at once, at the speed of the line."""
    whole = _content(max(64, int(baudrate / _BITS * seconds)))
    got, sent = bytearray(), 0
    begun, cpu = time.monotonic(), process.cpu_seconds(pid)
    client.sock.setblocking(False)
    while len(got) < len(whole):
        writers = [client.sock] if sent < len(whole) else []
        readable, writable, _ = select.select([client.sock], writers, [], PATIENCE_S)
        if not readable and not writable:
            break
        if writable:
            sent += client.sock.send(whole[sent : sent + 4096])
        if readable:
            got += client.sock.recv(65536)
    wall, cpu = time.monotonic() - begun, process.cpu_seconds(pid) - cpu
    client.sock.settimeout(PATIENCE_S)
    if bytes(got) != whole[: len(got)]:
        raise BenchError("what came back is not what was sent, or not all of it")
    mib = len(got) / (1 << 20)
    return {
        "bulk both ways, KiB/s": mib * 1024 / wall,
        "bulk both ways, CPU per MiB, ms": cpu * 1e3 / mib,
        "bulk both ways, CPU of a core, %": cpu / wall * 100,
        "bulk both ways, bytes lost": len(whole) - len(got),
    }


def _visits(port: int, pid: int, seconds: float, baudrate: int) -> Figures:
    """Connect, Com Port Control, SET-BAUDRATE, close."""
    count, cpu = 0, process.cpu_seconds(pid)
    begun = time.monotonic()
    while time.monotonic() < begun + seconds:
        # A gateway may still be busy with the last one.
        with suppress(ConnectionError), Visit(port) as visit:
            visit.set_baudrate(baudrate)
            count += 1
    wall, cpu = time.monotonic() - begun, process.cpu_seconds(pid) - cpu
    name = "connect, COM-PORT, SET-BAUDRATE, close"
    if not count:
        return {f"{name}, per second": 0.0, f"{name}, CPU of one, ms": None}
    return {f"{name}, per second": count / wall, f"{name}, CPU of one, ms": cpu * 1e3 / count}


class Visit(Client):
    """One that asks for nothing else."""

    def __enter__(self) -> Visit:
        self.sock.sendall(_BINARY + _COM_PORT_WILL)
        return self
