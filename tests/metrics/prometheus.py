"""Prometheus itself, as Debian has it."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import pytest

from tests.cli.program import ROOT
from tests.ports import free_ports
from tests.until import PATIENCE, asked
from tests.watched import Watched

CONFIG = """\
global: {{scrape_interval: {interval}, scrape_timeout: {interval}}}
scrape_configs:
  - job_name: gatewayd
    file_sd_configs: [{{files: ['{directory}/gatewayd.json']}}]
"""


def program(name: str) -> Path:
    """One of Debian's package, which is unpacked only."""
    path = ROOT / ".venv/fetched/prometheus/usr/bin" / name
    if not path.exists():
        pytest.skip(f"{name} is not fetched; ./dev test does that")
    return path


class Prometheus(Watched):
    """Runs for the length of a `with` block; `targets` is a file of targets, as `gatewayd export
    prometheus` prints it.

    `within` is the beginning of a command line that runs it somewhere else, from where `connect`
    reaches its port.
    """

    def __init__(
        self,
        directory: Path,
        targets: str = "[]",
        *,
        interval: str = "100ms",
        options: Sequence[str] = (),
        within: Sequence[str | Path] = (),
        connect: Callable[[int], socket.socket] | None = None,
    ) -> None:
        (self.port,) = free_ports(1)
        self._connect = connect or self._connect_here
        config = directory / "prometheus.yml"
        config.write_text(CONFIG.format(directory=directory, interval=interval))
        (directory / "gatewayd.json").write_text(targets)
        super().__init__(
            [
                *within,
                program("prometheus"),
                f"--config.file={config}",
                f"--storage.tsdb.path={directory}/data",
                f"--web.listen-address=127.0.0.1:{self.port}",
                *options,
            ]
        )

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            self.wait_for("Server is ready to receive web requests")
        except BaseException:
            self.stop()
            raise
        return self

    def ask(self, query: str) -> list[dict[str, Any]]:
        """What a query gives now."""
        result: list[dict[str, Any]] = self._get(f"query?query={quote(query)}")["result"]
        return result

    def value(self, query: str) -> float:
        """The one value of a query, now."""
        (one,) = self.ask(query)
        return float(one["value"][1])

    def metadata(self, name: str) -> dict[str, str]:
        """What it knows of a family."""
        (told,) = self._get(f"metadata?metric={name}")[name]
        return dict(told)

    def wait_until(self, query: str, value: str, seconds: float = PATIENCE) -> dict[str, str]:
        """Ask until there is one result, with this value; its labels."""
        result: list[dict[str, Any]] = []

        def there() -> bool:
            nonlocal result
            result = self.ask(query)
            return [one["value"][1] for one in result] == [value]

        try:
            asked(there, every=0.05, seconds=seconds)
        except AssertionError:
            raise AssertionError(f"{query} gives {result}") from None
        labels: dict[str, str] = result[0]["metric"]
        return labels

    def _get(self, path: str) -> Any:
        http = HTTPConnection("127.0.0.1", self.port)
        http.sock = self._connect(self.port)
        try:
            http.request("GET", f"/api/v1/{path}")
            return json.load(http.getresponse())["data"]
        finally:
            http.close()

    @staticmethod
    def _connect_here(port: int) -> socket.socket:
        return socket.create_connection(("127.0.0.1", port), PATIENCE)
