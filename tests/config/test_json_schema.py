"""The JSON Schema: up to date, and of one mind with the judge."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from gatewayd.config.document import TABLES
from gatewayd.config.json_schema import schema, text
from gatewayd.config.load import parse
from gatewayd.config.problem import ConfigError
from tests.config.files import FULL

SHIPPED = Path(__file__).parents[2] / "etc/gatewayd.schema.json"


def test_the_shipped_schema_is_the_generated_one() -> None:
    assert SHIPPED.read_text() == text(), "run: ./dev fix"


def test_every_setting_has_its_sentence() -> None:
    def mappings(value: Any) -> list[Any]:
        if isinstance(value, list):
            return [found for item in value for found in mappings(item)]
        if not isinstance(value, dict):
            return []
        inner = [found for item in value.values() for found in mappings(item)]
        return [value, *inner] if "properties" in value else inner

    found = mappings(schema())
    # An address may stand at several places; where metrics are, it has some of the keys.
    assert len({json.dumps(mapping) for mapping in found}) == len(TABLES) + 1
    for mapping in found:
        assert mapping["additionalProperties"] is False
        for setting in mapping["properties"].values():
            assert setting["description"].endswith(".")


PORT = "version: 1\nports:\n  a: {device: /dev/x, raw: 7001, %s}\n"
RIGHT = [
    FULL,
    "version: 1\nports:\n",
    *(
        PORT % text
        for text in (
            "rfc2217: [7002, '[::1]:7003']",
            "rfc2217: {listen: 7002}",
            "rfc2217: [7002, {listen: 7003, tls: none}]",
            "line: 9600 8n1 RTSCTS",
            "line: {parity: N, stopbits: 1.5, bytesize: 5}",
            "line: {stopbits: 2}",
            "peer_timeout: 30",
            "peer_timeout: 1h",
            "on_unplug: close",
            "description: 5",
        )
    ),
]
WRONG = [
    "ports: {}",
    "version: 2\nports: {}",
    "version: '1'\nports: {}",
    "version: 1\nports: {a b: {device: /dev/x, raw: 1}}",
    "version: 1\nports: {a: {device: /dev/x}}",
    "version: 1\nports: {a: {raw: 1}}",
    "version: 1\nports: []",
    *(
        PORT % text
        for text in (
            "x: 1",
            "rfc2217: 0",
            "rfc2217: 65536",
            "rfc2217: []",
            "rfc2217: pi",
            "rfc2217: {listen: 0}",
            "rfc2217: {tls: none}",
            "rfc2217: {listen: 7002, tls: true}",
            "rfc2217: {listen: 7002, secret: true}",
            "line: 9600",
            "line: {baudrate: fast}",
            "line: {baudrate: '9600'}",
            "line: {parity: x}",
            "line: {stopbits: 3}",
            "line: {dsrdtr: true}",
            "takeover: 1",
            "takeover: 'true'",
            "signals: {dtr: high}",
            "peer_timeout: 1",
            "on_unplug: wait",
        )
    ),
]


class _Yaml12(yaml.SafeLoader):
    """As editors read YAML: `on` and `off` are words."""


_Yaml12.yaml_implicit_resolvers = {
    first: [one for one in resolvers if not (one[0].endswith(":bool") and first in [*"oOyYnN"])]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@pytest.mark.parametrize("source", [*RIGHT, *WRONG])
def test_an_editor_says_what_check_says(source: str) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    validator = jsonschema.Draft7Validator(json.loads(text()))
    validator.check_schema(schema())
    accepted = validator.is_valid(yaml.load(source, _Yaml12))
    assert accepted is (source in RIGHT)
    if accepted:
        parse(source, "f")
    else:
        with pytest.raises(ConfigError):
            parse(source, "f")
