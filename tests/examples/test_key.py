"""A key of the file: `quiet`, which has a port say less.

In the program it is one more field of `PortConfig` (`gatewayd.config.schema`), and its entry in
docs/configuration.md. The JSON Schema follows from that.
"""

from __future__ import annotations

from typing import Any

import pytest

from gatewayd.config import document, keys
from gatewayd.config.declared import key
from gatewayd.config.json_schema import schema
from gatewayd.config.load import parse
from gatewayd.config.problem import ConfigError
from gatewayd.config.schema import PortConfig
from gatewayd.config.setting import settings_of


class Quieter(PortConfig):
    """A port with one more key."""

    quiet: bool = key(
        lambda k: k.Switch(),
        "Whether refusals are not told to who is refused.",
        example="true",
        default=False,
    )


@pytest.fixture(autouse=True)
def _in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "PortConfig", Quieter)
    monkeypatch.setattr(document, "PORT_SETTINGS", settings_of(Quieter, keys))


def port(more: str) -> Any:
    text = f"version: 1\nports:\n  psu1:\n    device: /dev/ttyS0\n    raw: 7101\n{more}"
    return parse(text, "gatewayd.yaml").ports[0]


def test_it_is_read_has_a_default_and_is_judged() -> None:
    assert port("    quiet: true\n").quiet is True
    assert port("").quiet is False
    with pytest.raises(ConfigError, match=r"gatewayd\.yaml:6:12: ports\.psu1\.quiet: found '7'; "):
        port("    quiet: 7\n")


def test_editors_know_it() -> None:
    (ports,) = schema()["properties"]["ports"]["patternProperties"].values()
    assert ports["properties"]["quiet"]["type"] == "boolean"
