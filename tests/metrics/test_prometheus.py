"""Prometheus itself: it scrapes a daemon, and its promtool judges what it is told."""

from __future__ import annotations

import subprocess
import urllib.request
from pathlib import Path

import pytest

from gatewayd.metrics.text import Form
from tests.cli.program import gatewayd
from tests.metrics.prometheus import Prometheus, program
from tests.ports import free_ports
from tests.service.adapter import Adapter
from tests.service.client import connect, receive
from tests.service.running import Running
from tests.until import PATIENCE

pytestmark = pytest.mark.interop


def test_it_scrapes_a_daemon(tmp_path: Path) -> None:
    raw, metrics = free_ports(2)
    adapter = Adapter(tmp_path / "ttyUSB0")
    entry = f"  psu1: {{device: {adapter.path}, raw: {raw}, description: supply}}\n"
    running = Running(tmp_path, entry, top=f"metrics: {metrics}\n")
    targets = gatewayd("export", "prometheus", "-c", str(running.config), "--host", "pi").stdout
    with adapter, running as daemon, Prometheus(tmp_path, targets) as prometheus:
        daemon.wait_for("psu1: .* open, ")
        assert prometheus.wait_until("up", "1")["gateway"] == "pi"
        with connect(raw) as client:
            adapter.write(b"12345")
            receive(client, 5)
            prometheus.wait_until("gatewayd_port_received_bytes_total", "5")
            labels = prometheus.wait_until("gatewayd_port_held == 1", "1")
            assert labels["port"] == "psu1"
        prometheus.wait_until("gatewayd_port_held", "0")
        adapter.pull()
        prometheus.wait_until('gatewayd_port_state{state="absent"}', "1")
        prometheus.wait_until("gatewayd_port_losses_total", "1")
        joined = "gatewayd_port_losses_total * on(port) group_left(description) gatewayd_port_info"
        assert prometheus.wait_until(joined, "1")["description"] == "supply"
        told = prometheus.metadata("gatewayd_port_received_bytes")
        # The unit is told in OpenMetrics only.
        assert (told["type"], told["unit"]) == ("counter", "bytes")


def test_promtool_has_nothing_to_say_against_the_metrics(tmp_path: Path) -> None:
    promtool = program("promtool")
    (metrics,) = free_ports(1)
    adapter = Adapter(tmp_path / "ttyUSB0")
    entry = f"  psu1: {{device: {adapter.path}, raw: {free_ports(1)[0]}, record: output}}\n"
    top = f"metrics: {metrics}\nrecord: {{directory: {tmp_path}/records, free: 0}}\n"
    with adapter, Running(tmp_path, entry, top=top) as daemon:
        daemon.wait_for("psu1: .* open, ")
        adapter.write(b"x")
        address = f"http://127.0.0.1:{metrics}/metrics"
        request = urllib.request.Request(address, headers={"Accept": Form.TEXT.value})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            text = answer.read()
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, timeout=PATIENCE
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")
