"""Two adapters, and a daemon with a configuration of them."""

from __future__ import annotations

from pathlib import Path

from tests.ports import free_ports
from tests.service.adapter import Adapter
from tests.service.running import Running


class Rack:
    """Two adapters, and TCP ports for what serves them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.one = Adapter(directory / "one")
        self.two = Adapter(directory / "two")
        self.ports = free_ports(4)

    def entry(self, name: str, adapter: Adapter, **settings: object) -> str:
        """A port of the configuration."""
        text = "".join(f", {key}: {value}" for key, value in settings.items())
        return f"  {name}: {{device: {adapter.path}{text}}}\n"

    def serve(self, ports: str) -> Running:
        return Running(self.directory, ports)


def opened(daemon: Running, times: int) -> None:
    """Wait until devices have been opened so many times."""
    daemon.wait_for_more(r" open, \d+ ", times)
