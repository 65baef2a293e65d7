"""A network of machines on one: namespaces joined by a bridge, each with a D-Bus and an Avahi.

Needs root, or a kernel that lets users make namespaces.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import pytest

from tests.cli.program import ROOT
from tests.until import PATIENCE
from tests.watched import Watched

FETCHED = ROOT / ".venv/fetched"
BUS = """\
<busconfig>
  <type>system</type>
  <listen>unix:path={directory}/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_type="method_call"/>
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
  </policy>
</busconfig>
"""
AVAHI = """\
[server]
host-name={name}
use-ipv4=yes
use-ipv6=no
allow-interfaces=eth0
enable-dbus=yes
ratelimit-interval-usec=1000000
ratelimit-burst=1000
[publish]
publish-hinfo=no
publish-workstation=no
[rlimits]
"""


CONNECT = """
import socket, sys
fd, address, port = sys.argv[1:]
with socket.create_connection((address, int(port))) as sock:
    socket.send_fds(socket.socket(fileno=int(fd)), [b"."], [sock.fileno()])
"""


class Machine:
    """One machine of the network: `address` is its own, `name` that of its host."""

    def __init__(self, lan: Lan, name: str, address: str, directory: Path) -> None:
        self.name = name
        self.address = address
        self.directory = directory
        self._stack = lan.stack
        self._holder = lan.namespace("--net", "--mount", "--uts", within=lan.switch)
        self.pid = self._holder.pid
        lan.plug(self)
        # Avahi has its process id and its socket below /run, in one place for all.
        self.run("mount", "-t", "tmpfs", "tmpfs", "/run")
        self.run("mkdir", "/run/avahi-daemon")
        self.run("hostname", name)
        for file in ("passwd", "group"):  # Avahi asks for its user, whoever it runs as
            known = Path("/etc", file).read_text()
            ours = directory / file
            ours.write_text(
                known + "avahi:x:65533:" + ("65533::/:\n" if file == "passwd" else "\n")
            )
            self.run("mount", "--bind", ours, f"/etc/{file}")
        self.bus: Watched | None = None
        self.avahi: Watched | None = None

    def argv(self, *argv: str | Path) -> list[str | Path]:
        """The command line that runs `argv` on this machine."""
        return [*entering(self.pid), *argv]

    @property
    def environment(self) -> dict[str, str]:
        """What its programs find their bus by."""
        bus = f"unix:path={self.directory}/bus"
        # Who enters a mount namespace is at its root, where our modules are not.
        return {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": bus, "PYTHONPATH": str(ROOT)}

    def run(self, *argv: str | Path) -> str:
        """Run a program on it to its end; what it prints."""
        done = subprocess.run(
            self.argv(*argv),
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, *argv: str | Path) -> Watched:
        """Run a program on it beside the test, until the network is taken down."""
        return self._stack.enter_context(
            Watched(self.argv(*argv), directory=ROOT, environment=self.environment)
        )

    def connect(self, address: str, port: int) -> socket.socket:
        """A connection from this machine."""
        here, there = socket.socketpair()
        with here, there:
            program = self.argv(sys.executable, "-c", CONNECT, str(there.fileno()))
            subprocess.run(
                [*program, address, str(port)],
                pass_fds=[there.fileno()],
                timeout=PATIENCE,
                check=True,
            )
            _, (fd,), _, _ = socket.recv_fds(here, 1, 1)
        sock = socket.socket(fileno=fd)
        sock.settimeout(PATIENCE)
        return sock

    def join(self, nice: int = 0) -> None:
        """Have a bus and an Avahi, see `start_avahi`."""
        self.start_bus()
        self.start_avahi(nice)

    def start_bus(self) -> None:
        """Have a system bus."""
        (self.directory / "bus").unlink(missing_ok=True)
        config = self.directory / "bus.conf"
        config.write_text(BUS.format(directory=self.directory))
        self.bus = self.start(
            "dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile", "--print-address"
        )
        self.bus.wait_for("unix:path")

    def start_avahi(self, nice: int = 0) -> None:
        """Have an Avahi, which leaves the processor to others if `nice`."""
        config = self.directory / "avahi.conf"
        config.write_text(AVAHI.format(name=self.name))
        daemon, libraries = unpacked("avahi-daemon", "usr/sbin/avahi-daemon")
        self.avahi = self.start(
            *("nice", "-n", str(nice), "env", f"LD_LIBRARY_PATH={libraries}", daemon, "-f", config),
            *("--no-drop-root", "--no-chroot", "--no-rlimits"),
        )
        self.avahi.wait_for("Server startup complete")

    def browse(self, *arguments: str) -> str:
        """What avahi-browse prints of `arguments`."""
        program, libraries = unpacked("avahi-utils", "usr/bin/avahi-browse")
        return self.run("env", f"LD_LIBRARY_PATH={libraries}", program, *arguments)

    def browsing(self, *arguments: str) -> Watched:
        """avahi-browse beside the test, which tells of what comes and goes."""
        program, libraries = unpacked("avahi-utils", "usr/bin/avahi-browse")
        buffered = ("stdbuf", "-oL")
        return self.start("env", f"LD_LIBRARY_PATH={libraries}", *buffered, program, *arguments)


class Lan:
    """The network, for the length of a `with` block."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.stack = ExitStack()
        self.machines: list[Machine] = []

    def __enter__(self) -> Lan:
        with ExitStack() as stack:
            self.stack = stack
            user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
            try:
                self.switch = self.namespace(*user, "--net", "--mount").pid
            except PermissionError as error:
                pytest.skip(f"no namespaces without root here: {error}")
            self._ip("link", "add", "br0", "type", "bridge")
            self._ip("link", "set", "br0", "up")
            self.stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stack.close()

    def machine(self, name: str, *, apart: bool = False) -> Machine:
        """One more machine; those that are `apart` do not hear each other."""
        number = len(self.machines) + 1
        (self.directory / name).mkdir()
        machine = Machine(self, name, f"10.77.0.{number}", self.directory / name)
        if apart:
            self._ip("link", "set", f"port{number}", "type", "bridge_slave", "isolated", "on")
        self.machines.append(machine)
        return machine

    def namespace(self, *kinds: str, within: int | None = None) -> subprocess.Popen[str]:
        """A process that keeps namespaces of `kinds` until the network is taken down."""
        enter = entering(within) if within is not None else []
        process = subprocess.Popen(
            [*enter, "unshare", *kinds, "cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.stack.callback(_end, process)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("there\n")
        process.stdin.flush()
        if process.stdout.readline() != "there\n":
            assert process.stderr is not None
            raise PermissionError(process.stderr.read())
        return process

    def plug(self, machine: Machine) -> None:
        """Join a machine to the network."""
        port = f"port{len(self.machines) + 1}"
        ends = ("name", "eth0", "netns", str(machine.pid))
        self._ip("link", "add", port, "type", "veth", "peer", *ends)
        self._ip("link", "set", port, "master", "br0", "up")
        machine.run("ip", "address", "add", f"{machine.address}/16", "brd", "+", "dev", "eth0")
        for link in ("lo", "eth0"):
            machine.run("ip", "link", "set", link, "up")

    def _ip(self, *arguments: str) -> None:
        argv = [*entering(self.switch), "ip", *arguments]
        subprocess.run(argv, check=True, capture_output=True, text=True, timeout=PATIENCE)


def entering(pid: int) -> list[str | Path]:
    """The beginning of a command line that is run in the namespaces of a process."""
    user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
    return ["nsenter", "--target", str(pid), *user, "--net", "--mount", "--uts"]


def unpacked(package: str, path: str) -> tuple[Path, str]:
    """A program of a Debian package that is unpacked only, and where its libraries are."""
    program = FETCHED / package / path
    if not program.exists() or shutil.which("dbus-daemon") is None:
        pytest.skip(f"{package} is not fetched; ./dev test does that")
    libraries = [
        str(directory)
        for name in ("libavahi-core7", "libdaemon0")
        for directory in (FETCHED / name / "usr/lib").iterdir()
    ]
    return program, ":".join(libraries)


def _end(process: subprocess.Popen[str]) -> None:
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    process.wait(PATIENCE)
