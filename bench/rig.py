"""One gateway on PTYs: its process, the load generator's process, and the talk between them."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from bench import process
from bench.subjects import CERTIFICATE, KEY, METRICS, Line, Subject
from bench.toolchain import BUILD, OPENSSL, PROJECT, BenchError, Tools
from tests.ports import free_ports

PATIENCE = 120.0
"""Seconds after which a command of the load generator is given up."""

_UNVERIFIED = ssl.create_default_context()
_UNVERIFIED.check_hostname, _UNVERIFIED.verify_mode = False, ssl.CERT_NONE

LOAD_CORE, GATEWAY_CORE = 0, 1
"""Which of the allowed cores runs what. Left to itself the scheduler has them share a core in one
run and not in the next, and a round trip takes half the time or twice."""


class Rig:
    """A started gateway with `ports` lines. Use as a context manager; BenchError on any failure."""

    def __init__(
        self, subject: Subject, tools: Tools, ports: int, *, watched: bool = False
    ) -> None:
        self.subject = subject
        self.ports = ports
        self.start_ms = 0.0
        """Milliseconds from exec until the last line's port had accepted and greeted a client."""
        self.start_cpu_ms = 0.0
        """What that took of the processor, with processes that have ended by then."""
        BUILD.mkdir(parents=True, exist_ok=True)
        self._directory = Path(tempfile.mkdtemp(prefix="rig-", dir=BUILD))
        mode = "telnet" if subject.telnet else "raw"
        with process.on_core(LOAD_CORE):
            self._load = subprocess.Popen(
                [tools.load, str(ports), mode, *(["tls"] if subject.tls else [])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        self._unread = b""
        devices = [self._answer() for _ in range(ports)]
        also = free_ports(ports) if watched else [0] * ports
        places = zip(devices, free_ports(ports), also, strict=True)
        self.lines = [Line(*place) for place in places]
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The gateway's process."""
        return self._processes[0].pid

    @property
    def pids(self) -> list[int]:
        """All processes of the gateway."""
        return [process_.pid for process_ in self._processes]

    def pss_kib(self) -> float:
        """What all of them have in memory, in KiB."""
        return sum(process.pss_mb(pid) for pid in self.pids) * 1e6 / 1024

    def scrape(self, times: int) -> dict[str, float]:
        """Ask for the metrics so often; what that took."""
        port = int((self._directory / METRICS).read_text())
        before, started = process.cpu_seconds(self.pid), time.monotonic()
        for _ in range(times):
            with socket.create_connection(("127.0.0.1", port), 5) as client:
                client.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
                while client.recv(1 << 20):
                    pass
        return {
            "rounds": times,
            "wall_s": time.monotonic() - started,
            "cpu_s": process.cpu_seconds(self.pid) - before,
        }

    def _start(self) -> None:
        if self.subject.tls:
            _make_keys(self._directory)
        argvs = [self.subject.command(self.lines, self._directory)]
        if self.subject.front is not None:
            argvs.append(self.subject.front(self.lines, self._directory))
        started = time.monotonic()
        for argv in argvs:
            self._run(argv)
        self._await_service(self.lines[-1].tcp_port, started)
        self.start_ms = (time.monotonic() - started) * 1e3
        self.start_cpu_ms = sum(map(process.whole_cpu_seconds, self.pids)) * 1e3
        self.do(f"pid {' '.join(map(str, self.pids))}")

    def _run(self, argv: list[str]) -> None:
        with open(self._directory / "log", "ab") as log, process.on_core(GATEWAY_CORE):
            self._processes.append(
                subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self._directory,
                )
            )

    def _await_service(self, tcp_port: int, started: float) -> None:
        while time.monotonic() < started + 30:
            if any(one.poll() is not None for one in self._processes):
                raise BenchError(f"{self.subject.name} has ended: {self._log_end()}")
            with contextlib.suppress(OSError), socket.socket() as client:
                client.settimeout(5)
                client.connect(("127.0.0.1", tcp_port))
                if self.subject.tls:
                    with _UNVERIFIED.wrap_socket(client) as inside:
                        if not self.subject.telnet or inside.recv(1):
                            return
                elif not self.subject.telnet or client.recv(1):
                    return
            time.sleep(0.001)  # a foreign process tells nobody that it listens now
        raise BenchError(f"{self.subject.name} serves nothing: {self._log_end()}")

    def _log_end(self) -> str:
        return (self._directory / "log").read_text(errors="replace")[-2000:].strip()

    def connect(self, count: int | None = None) -> None:
        """Open a session on every line, or on the first so many; a byte has passed each way when
        this returns."""
        self.do("connect " + " ".join(str(line.tcp_port) for line in self.lines[:count]))

    @contextlib.contextmanager
    def attacked(self, name: str) -> Iterator[None]:
        """Have a client of the last line do harm, see `bench.neighbour`."""
        with _beside("bench.neighbour", str(self.lines[-1].tcp_port), name):
            yield

    @contextlib.contextmanager
    def watched(self, count: int, *, stuck: bool) -> Iterator[None]:
        """Have so many clients watch the first line, see `bench.watcher`."""
        also = ["stuck"] if stuck else []
        with _beside("bench.watcher", str(self.lines[0].watched_at), str(count), *also):
            yield

    def do(self, command: str) -> dict[str, float]:
        """Have the load generator do one command; gives what it measured."""
        assert self._load.stdin is not None
        try:
            self._load.stdin.write(command.encode() + b"\n")
            self._load.stdin.flush()
        except BrokenPipeError:
            raise BenchError("the load generator has ended") from None
        answer = json.loads(self._answer())
        if "error" in answer:
            raise BenchError(f"{self.subject.name}: {command[:40]}: {answer['error']}")
        return {key: float(value) for key, value in answer.items()}

    def _answer(self) -> str:
        assert self._load.stdout is not None
        out = self._load.stdout.fileno()
        while b"\n" not in self._unread:
            if not select.select([out], [], [], PATIENCE)[0]:
                raise BenchError(f"{self.subject.name}: no answer within {PATIENCE:.0f} s")
            chunk = os.read(out, 65536)
            if not chunk:
                raise BenchError("the load generator has ended")
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode()

    def close(self) -> None:
        """End both processes and remove the rig's files."""
        for one in reversed(self._processes):
            one.terminate()
            try:
                one.wait(5)
            except subprocess.TimeoutExpired:
                one.kill()
                one.wait()
        self._load.kill()
        with self._load:  # closes the pipes
            self._load.wait()
        shutil.rmtree(self._directory, ignore_errors=True)


def _make_keys(directory: Path) -> None:
    """A certificate of its own, with a key on P-256."""
    command = [OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-keyout", str(directory / KEY), "-out", str(directory / CERTIFICATE)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"{' '.join(command)}: {done.stderr}")


@contextlib.contextmanager
def _beside(module: str, *arguments: str) -> Iterator[None]:
    """A program of ours beside the load generator, from when it has said something."""
    argv = [sys.executable, "-m", module, *arguments]
    with process.on_core(LOAD_CORE):
        other = subprocess.Popen(
            argv, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
    assert other.stdout is not None
    try:
        if not other.stdout.readline():
            raise BenchError(f"{' '.join(argv[2:])} has ended")
        yield
    finally:
        other.kill()
        with other:
            other.wait()


def idle_together(rigs: Sequence[Rig], seconds: float) -> list[dict[str, float]]:
    """Leave connected rigs alone for a while, all at once; what each used meanwhile."""
    before = [(process.wakeups(rig.pid), process.cpu_seconds(rig.pid)) for rig in rigs]
    time.sleep(seconds)
    return [
        {
            "wakeups": process.wakeups(rig.pid) - woken,
            "cpu_s": process.cpu_seconds(rig.pid) - cpu,
            "wall_s": seconds,
            "pss_mb": process.pss_mb(rig.pid),
        }
        for rig, (woken, cpu) in zip(rigs, before, strict=True)
    ]
