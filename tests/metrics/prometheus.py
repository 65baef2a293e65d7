"""Prometheus itself, as Debian has it."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import pytest

from tests.cli.program import ROOT
from tests.interop.gateway import free_ports
from tests.watched import PATIENCE, Watched

CONFIG = """\
global: {{scrape_interval: 100ms, scrape_timeout: 100ms}}
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
    """Runs for the length of a `with` block, and scrapes every 100 ms; `targets` is a file of
    targets, as `gatewayd export prometheus` prints it."""

    def __init__(self, directory: Path, targets: str = "[]") -> None:
        (self.port,) = free_ports(1)
        config = directory / "prometheus.yml"
        config.write_text(CONFIG.format(directory=directory))
        (directory / "gatewayd.json").write_text(targets)
        super().__init__(
            [
                program("prometheus"),
                f"--config.file={config}",
                f"--storage.tsdb.path={directory}/data",
                f"--web.listen-address=127.0.0.1:{self.port}",
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
        url = f"http://127.0.0.1:{self.port}/api/v1/query?query={quote(query)}"
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return result

    def metadata(self, name: str) -> dict[str, str]:
        """What it knows of a family."""
        url = f"http://127.0.0.1:{self.port}/api/v1/metadata?metric={name}"
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            (told,) = json.load(answer)["data"][name]
        return dict(told)

    def wait_until(self, query: str, value: str) -> dict[str, str]:
        """Ask until there is one result, with this value; its labels."""
        deadline = time.monotonic() + PATIENCE
        while True:
            result = self.ask(query)
            if [one["value"][1] for one in result] == [value]:
                labels: dict[str, str] = result[0]["metric"]
                return labels
            assert time.monotonic() < deadline, f"{query} gives {result}"
            # A scraper tells nobody what it has seen.
            time.sleep(0.05)
