"""A running daemon with a configuration that the test writes."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from gatewayd.control.client import call
from tests.cli.program import Program, gatewayd
from tests.until import PATIENCE


class Running(Program):
    """`gatewayd run` for the length of a `with` block, ready when it is entered."""

    def __init__(
        self,
        directory: Path,
        ports: str,
        *,
        top: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`ports` is what stands below `ports:` in the configuration, `top` beside it."""
        self.top = top
        self.config = directory / "gatewayd.yaml"
        self.control = directory / "control"
        self.write(ports)
        super().__init__("run", "-c", str(self.config), environment=environment)

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            self.wait_for(r"gatewayd \S+ serves ")
        except BaseException:
            self.kill()
            raise
        return self

    def write(self, ports: str) -> None:
        """Have other ports in the file."""
        self.config.write_text(f"version: 1\ncontrol: {self.control}\n{self.top}ports:\n{ports}")

    def reload(self, ports: str) -> str:
        """Put other ports in force; what `gatewayd reload` prints."""
        self.write(ports)
        done = self.command("reload")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another gatewayd command on this daemon."""
        return gatewayd(*arguments, "--control", str(self.control))

    def status(self, port: str) -> dict[str, Any]:
        """What the daemon tells of a port."""
        ports = call(str(self.control), "Status")["ports"]
        found: dict[str, Any] = next(one for one in ports if one["name"] == port)
        return found

    def wait_for_more(self, pattern: str, count: int) -> None:
        """Wait until the log has `pattern` `count` times."""
        self.wait_for_all(pattern, count)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self.process.pid

    @property
    def exit_status(self) -> int | None:
        """How the process ended, if it has."""
        return self.process.poll()

    def files(self) -> list[str]:
        """What the process has open."""
        names = []
        for link in Path(f"/proc/{self.pid}/fd").iterdir():
            # One that was closed since is no more.
            with contextlib.suppress(FileNotFoundError):
                names.append(str(link.readlink()))
        return names

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end; the exit status."""
        return self.process.wait(PATIENCE)
