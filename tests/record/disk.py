"""Disks that a test can fill, take away or stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.until import PATIENCE, until_mounted

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
STALLING: Final = Path(__file__).with_name("stalling_disk.py")


class Disk:
    """A file system of its own, of `size` bytes."""

    def __init__(self, path: Path, size: str) -> None:
        self.path = path
        self.path.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(path)]
        if subprocess.run(command, check=False).returncode != 0:
            pytest.skip("nothing can be mounted here")

    def unmount(self) -> None:
        """Take it away, whoever uses it."""
        subprocess.run(["umount", "-l", self.path], check=True)


@contextmanager
def mounted(path: Path, size: str) -> Iterator[Disk]:
    """Such a disk for the length of a `with` block."""
    disk = Disk(path, size)
    try:
        yield disk
    finally:
        while os.path.ismount(path):
            disk.unmount()


class Card:
    """A disk at `path` that stalls when it is told to."""

    def __init__(self, path: Path) -> None:
        path.mkdir()
        behind = path.with_name(f"{path.name}-behind")
        behind.mkdir()
        self.path = path
        self._server = subprocess.Popen([sys.executable, str(STALLING), str(behind), str(path)])
        if not until_mounted(path, self._server.pid):
            pytest.skip("nothing can be mounted by FUSE here")

    def stall(self) -> None:
        """Answer nothing from now on."""
        self._server.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Answer again."""
        self._server.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Take it away."""
        self.go_on()
        subprocess.run(["umount", "-l", str(self.path)], check=False)
        self._server.wait(PATIENCE)


@contextmanager
def stalling(path: Path) -> Iterator[Card]:
    """Such a disk for the length of a `with` block."""
    if not os.path.exists("/dev/fuse"):
        pytest.skip("no FUSE here")
    pytest.importorskip("fuse", reason="needs python3-fuse")
    card = Card(path)
    try:
        yield card
    finally:
        card.close()
