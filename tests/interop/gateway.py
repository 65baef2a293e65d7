"""gatewayd as a user starts it: a process of its own, watched through what it logs."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from tests.cli.program import Program

LISTENING = r"(\w+) on 127\.0\.0\.1:(\d+)"
OPENED = r" open, \d+ "
CLOSED = r"session from \S+ over"


class Gateway(Program):
    """Runs `gatewayd ARGUMENTS` for the length of a `with` block, ready when it is entered.

    It is ready when it listens on `faces` addresses and has opened `devices` devices.
    """

    def __init__(self, *arguments: str, faces: int, devices: int = 1) -> None:
        super().__init__(*arguments)
        self.faces = faces
        self.devices = devices

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            self.wait_for_all(LISTENING, self.faces)
            self.wait_for_all(OPENED, self.devices)
        except BaseException:
            self.kill()
            raise
        return self

    def port(self, face: str) -> int:
        """The TCP port of its first `rfc2217` or `raw` face."""
        return int(self.wait_for(LISTENING.replace(r"\w+", face))[2])

    def descriptors(self) -> int:
        """How many files the process has open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def resident_bytes(self) -> int:
        """The memory of the process."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * 4096
