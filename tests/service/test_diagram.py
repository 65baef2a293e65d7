"""docs/ports.md is drawn from the table, and knows every state and policy."""

from __future__ import annotations

from pathlib import Path

from gatewayd.config.schema import OnUnplug, WhileAbsent
from gatewayd.port.phase import Phase
from tests.service.diagram import diagram

TEXT = (Path(__file__).parents[2] / "docs" / "ports.md").read_text()


def test_the_diagram_is_that_of_the_table() -> None:
    assert f"```mermaid\n{diagram()}```\n" in TEXT


def test_every_state_and_policy_is_explained() -> None:
    for phase in Phase:
        assert f"| `{phase.value}` |" in TEXT
    for unplugged in (OnUnplug(), OnUnplug(0), OnUnplug(30)):
        assert f"- `{unplugged}`" in TEXT
    for absent in WhileAbsent:
        assert f"`while_absent: {absent.value}`" in TEXT
