"""A daemon with one port under a manager that keeps descriptors."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.ports import free_ports
from tests.service.adapter import Adapter
from tests.service.manager import Manager


class Bench:
    """Adapters, a configuration and a manager."""

    def __init__(self, directory: Path, manager: Manager) -> None:
        self.directory = directory
        self.manager = manager
        self.config = directory / "gatewayd.yaml"
        self.adapter = Adapter(directory / "tty")
        self.telnet, self.raw, self.spare = free_ports(3)
        self.write(f"rfc2217: {self.telnet}, raw: {self.raw}")

    def write(
        self,
        faces: str,
        device: Path | None = None,
        *,
        control: Path | str = "none",
        top: str = "",
    ) -> None:
        """`faces` and other keys of the port, `top` lines for the gateway."""
        device = device or self.adapter.path
        self.config.write_text(
            f"version: 1\ncontrol: {control}\n{top}ports: {{psu1: {{device: {device}, {faces}}}}}\n"
        )

    def start(self) -> None:
        self.manager.start("run", "-c", str(self.config))

    def start_with_device(self) -> None:
        self.start()
        self.manager.wait_until(lambda: "tty.psu1" in dict(self.manager.store))

    def restart(self, *, kill: bool = False) -> str:
        log = self.manager.stop(kill=kill)
        self.start()
        return log

    def reload(self) -> None:
        assert self.manager.process is not None
        self.manager.process.send_signal(signal.SIGHUP)
        self.manager.wait_for("READY=1")
