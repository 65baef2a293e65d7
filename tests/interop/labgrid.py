"""labgrid, real: coordinator and exporter run beside a test, the client for a command each."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.program import ROOT
from tests.ports import free_ports
from tests.until import PATIENCE
from tests.watched import Watched

PROGRAMS = ROOT / ".venv/fetched/labgrid/bin"
"""An environment of its own: it brings gRPC, and the pyserial of labgrid's own making."""


class Labgrid:
    """A coordinator at `address`."""

    def __init__(self, address: str) -> None:
        self.address = address

    def argv(self, *arguments: str) -> list[str]:
        """The command line of the client, as somebody with a name runs it."""
        user = ("LG_USERNAME=alice", "LG_HOSTNAME=desk")
        return ["env", *user, str(PROGRAMS / "labgrid-client"), "-x", self.address, *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the client to its end."""
        return subprocess.run(
            self.argv(*arguments),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def client(self, *arguments: str) -> str:
        """What the client prints; it must succeed."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@contextmanager
def coordinator(directory: Path, port: int = 0) -> Iterator[Labgrid]:
    """A coordinator that keeps its places in `directory`, on a free `port` if none is given; skips
    where labgrid is not fetched."""
    if not PROGRAMS.exists():
        pytest.skip("labgrid is not fetched; ./dev test does that")
    address = f"127.0.0.1:{port or free_ports(1)[0]}"
    with Watched([PROGRAMS / "labgrid-coordinator", "-l", address], directory=directory) as running:
        running.wait_for("Coordinator ready")
        yield Labgrid(address)


@contextmanager
def exporter(labgrid: Labgrid, resources: Path, name: str) -> Iterator[Watched]:
    """labgrid's own exporter with a file of resources."""
    program = str(PROGRAMS / "labgrid-exporter")
    argv = [program, "-c", labgrid.address, "-n", name, str(resources)]
    with Watched(argv, directory=resources.parent) as running:
        running.wait_for("Exporter ready")
        yield running


@contextmanager
def agent(labgrid: Labgrid, control: Path, name: str) -> Iterator[Watched]:
    """gatewayd-labgrid for the gatewayd at `control`."""
    options = ("-c", labgrid.address, "-n", name, "--control", str(control))
    with Watched(
        [PROGRAMS / "python", "-m", "gatewayd.labgrid", *options], directory=ROOT
    ) as running:
        running.wait_for("is ready")
        yield running
