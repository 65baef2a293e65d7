"""The rules and the dashboard that come with the package."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from gatewayd.metrics.families import families
from gatewayd.metrics.text import Form, render
from tests.cli.program import ROOT
from tests.metrics.prometheus import Prometheus, program
from tests.metrics.told import parsed, port, status
from tests.until import PATIENCE

RULES: Final = ROOT / "etc/prometheus/gatewayd.rules.yaml"
DASHBOARD: Final = json.loads((ROOT / "etc/grafana/gatewayd.json").read_text())
SERIES: Final = {
    'gatewayd_port_state{port="psu1", state="absent"}': "1x20",
    'gatewayd_port_state{port="psu1", state="ready"}': "0x20",
    'gatewayd_port_state{port="dut", state="ready"}': "1x20",
    'gatewayd_port_losses_total{port="dut"}': "0 1 2 3 4 4x15",
    'gatewayd_port_line_errors_total{port="dut", kind="overrun"}': "0x4 7x15",
    'gatewayd_port_line_errors_total{port="dut", kind="parity"}': "0+50x20",
    'gatewayd_port_recording{port="dut"}': "1x3 0x16",
    'gatewayd_port_lease_expires_timestamp_seconds{port="dut"}': "36000x500",
    'up{job="gatewayd"}': "1x3 0x16",
}
"""What was scraped, once a minute."""
EXPECTED: Final = {
    "GatewaydDeviceAway": {"port": "psu1", "severity": "warning", "state": "absent"},
    "GatewaydDeviceComesAndGoes": {"port": "dut", "severity": "warning"},
    "GatewaydCharactersLost": {"port": "dut", "severity": "warning"},
    "GatewaydLineErrors": {"port": "dut", "severity": "warning"},
    "GatewaydRecordStopped": {"port": "dut", "severity": "warning"},
    "GatewaydLeaseLong": {"port": "dut", "severity": "info"},
    "GatewaydDown": {"job": "gatewayd", "severity": "critical"},
}
"""The labels of the one alert that each rule gives."""


EIGHT_HOURS: Final = {"GatewaydLeaseLong"}
"""Rules that need longer than the others."""


def known() -> set[str]:
    """Names of all samples that there can be."""
    recorded = {"directory": "/", "cause": "", "lost": 0}
    when = "2026-11-25T09:12:03+01:00"
    full = port("a", signals=[], record=recorded, last_received=when, lease={"until": when})
    found = parsed(render(families(status(full)), Form.TEXT), Form.TEXT)
    return {sample.name for family in found.values() for sample in family.samples}


def queries() -> list[str]:
    """The queries of all panels."""
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def test_only_what_is_told_is_asked_for() -> None:
    rules = [rule["expr"] for rule in yaml.safe_load(RULES.read_text())["groups"][0]["rules"]]
    asked = set(re.findall(r"gatewayd_\w+", " ".join(rules + queries())))
    assert asked <= known()
    # And of what is told, a panel shows all but this.
    shown = set(re.findall(r"gatewayd_\w+", json.dumps(DASHBOARD)))
    assert known() - shown == {"gatewayd_start_time_seconds", "gatewayd_port_signal"}


def dropped(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """Where `theirs` lacks something of `ours`."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [
            found
            for key, value in ours.items()
            for found in dropped(value, theirs.get(key), f"{path}.{key}")
        ]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        return [
            found for at, (one, other) in pairs for found in dropped(one, other, f"{path}[{at}]")
        ]
    return [] if ours == theirs else [path]


def test_grafana_knows_all_of_the_dashboard() -> None:
    register_default_plugins()
    read = json.loads(JSONEncoder().encode(Dashboard.from_json(DASHBOARD)))
    assert dropped(DASHBOARD, read) == []
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.interop
def test_promtool_takes_the_rules_and_each_fires(tmp_path: Path) -> None:
    promtool = program("promtool")
    done = subprocess.run(
        [promtool, "check", "rules", RULES], capture_output=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stdout
    rules = {
        rule["alert"]: rule for rule in yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    }
    assert rules.keys() == EXPECTED.keys()
    expected = []
    for name, labels in EXPECTED.items():
        alerts = [{"exp_labels": labels}]
        when = "8h10m" if name in EIGHT_HOURS else "12m"
        expected.append({"alertname": name, "eval_time": when, "exp_alerts": alerts})
    series = [{"series": name, "values": values} for name, values in SERIES.items()]
    test = {"interval": "1m", "input_series": series, "alert_rule_test": expected}
    file = tmp_path / "tests.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(stripped(tmp_path))], "tests": [test]}))
    done = subprocess.run([promtool, "test", "rules", file], capture_output=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()


def stripped(directory: Path) -> Path:
    """The rules without their texts, which promtool would compare too."""
    rules = yaml.safe_load(RULES.read_text())
    for rule in rules["groups"][0]["rules"]:
        del rule["annotations"]
    file = directory / "rules.yaml"
    file.write_text(yaml.safe_dump(rules))
    return file


@pytest.mark.interop
def test_prometheus_understands_the_queries_of_the_dashboard(tmp_path: Path) -> None:
    with Prometheus(tmp_path) as prometheus:
        for query in queries():
            for variable, value in {
                "$instance": ".*",
                "$port": ".*",
                "$__rate_interval": "1m",
            }.items():
                query = query.replace(variable, value)
            prometheus.ask(query)
