"""The table of settings, and that the reference, the sample and the schema keep up with it."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any, TypeVar

import pytest

from gatewayd.config.document import TABLES
from gatewayd.config.keys import CONFIG_SETTINGS, PORT_SETTINGS
from gatewayd.config.load import Tree, load, parse
from gatewayd.config.problem import Place
from gatewayd.config.schema import Config, PortConfig
from gatewayd.config.setting import Setting, Values
from gatewayd.config.settings import (
    build_address,
    build_kerberos,
    build_line,
    build_log,
    build_match,
    build_record,
    build_signals,
    build_tls,
)
from gatewayd.config.tree import Mapping, Node, Scalar
from gatewayd.device.match import DeviceMatch
from gatewayd.line.model import LineSettings, SignalPolicies
from gatewayd.value import names
from tests.config.files import of_examples

FOR_PEOPLE = {
    *("none", "empty", "any", "that of the gateway"),
    "everybody who can prove a name",
}
"""Defaults that no file can say."""

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs/configuration.md").read_text()
SETTINGS = [(path, setting) for path, table in TABLES.items() for setting in table]
IDS = [f"{path}.{setting.key}" for path, setting in SETTINGS]


@pytest.mark.parametrize(("path", "setting"), SETTINGS, ids=IDS)
def test_the_reference_tells_every_setting(path: str, setting: Setting[Any]) -> None:
    heading = f"`{path}`" if path else "The file"
    part = re.search(
        rf"^## [^\n]*{re.escape(heading)}\n(.*?)(?=^## |\Z)", REFERENCE, re.MULTILINE | re.DOTALL
    )
    assert part is not None
    entry = re.search(
        rf"^### `{setting.key}`\n\n(.*?)(?=^###? |\Z)", part[1], re.MULTILINE | re.DOTALL
    )
    assert entry is not None
    default = "required" if setting.default is None else f"`{setting.default}`"
    if setting.default in ("any", "empty", "none") and setting.fallback is not None:
        default = setting.default
    facts, _, meaning = entry[1].partition("\n\n")
    assert facts.splitlines() == [
        f"- Syntax: `{setting.kind.syntax}`",
        f"- Default: {default}",
        f"- Example: `{setting.key}: {setting.example}`",
    ]
    assert len(meaning.split()) > 2
    assert re.fullmatch(r"[A-Z].*\.", setting.doc)


def test_the_reference_tells_no_other_setting() -> None:
    told = re.findall(r"^### `(\w+)`$", REFERENCE, re.MULTILINE)
    assert told == [setting.key for _, setting in SETTINGS]


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", REFERENCE, re.DOTALL))
def test_the_files_in_the_reference_are_right(block: str) -> None:
    assert parse(block, "docs/configuration.md").ports


_ELSEWHERE = [
    pytest.param(block, id=f"{path.name}-{number}")
    for path in sorted([*ROOT.glob("docs/*.md"), ROOT / "README.md"])
    for number, block in enumerate(
        re.findall(r"^    version: 1\n(?:    .*\n|\n)+", path.read_text(), re.MULTILINE)
    )
]


@pytest.mark.parametrize("block", _ELSEWHERE)
def test_the_files_in_other_documents_are_right(block: str) -> None:
    parse(textwrap.dedent(block), "document")


_NEEDED = {
    "rfc2217": {"listen": "7998", "tls": "implicit"},
    "tls": {"certificate": "a", "key": "b", "client_ca": "c"},
    "kerberos": {"keytab": "a", "principals": "{a@B: a}"},
}
"""What must stand beside a setting in its mapping."""


def _mapping(where: str, given: str) -> str:
    key, _, value = given.partition(": ")
    pairs = _NEEDED.get(where, {}) | ({key: value} if given else {})
    return "{" + ", ".join(f"{one}: {other}" for one, other in pairs.items()) + "}"


@pytest.mark.parametrize(("path", "setting"), SETTINGS, ids=IDS)
def test_every_example_is_right(path: str, setting: Setting[Any]) -> None:
    given = f"{setting.key}: {setting.example}"
    port = {"device": "/dev/none", "raw": "7999", "rfc2217": "7998"}
    nested = path.removeprefix("ports.NAME").removeprefix(".")
    if path.startswith("ports.NAME"):
        key, value = (nested, _mapping(nested, given)) if nested else (setting.key, setting.example)
        if setting.key == "interface":
            value = f"{{serial: A, {given}}}"
        port[key] = value
        given = "ports:\n  a:\n" + "".join(f"    {k}: {v}\n" for k, v in port.items())
    elif path:
        given = f"{path}: {_mapping(path, given)}"
    top = {"version": "version: 1", "ports": "ports: {}", "tls": f"tls: {_mapping('tls', '')}"}
    top["users"] = "users: users"
    top[given.partition(":")[0]] = given
    parse("\n".join(top.values()), "example")


@pytest.mark.parametrize(("path", "setting"), SETTINGS, ids=IDS)
def test_every_default_can_be_written(path: str, setting: Setting[Any]) -> None:
    if setting.required:
        assert setting.fallback is None
    elif setting.fallback is None:
        setting.kind.read(Scalar(Place("default"), str(setting.default)), setting.key)


@pytest.mark.parametrize("setting", [*PORT_SETTINGS, *CONFIG_SETTINGS], ids=lambda one: one.key)
def test_a_default_is_told_as_it_would_be_written(setting: Setting[Any]) -> None:
    told = setting.default
    if told is not None and told not in FOR_PEOPLE and not told.startswith("{"):
        assert setting.kind.read(Scalar(Place("default"), told), "") == setting.fallback


def test_every_field_is_a_key() -> None:
    """Apart from what a mapping of ports says by itself."""
    ports = {setting.key for setting in PORT_SETTINGS}
    assert {*names(PortConfig)} - ports == {"name", "where"}
    assert {*names(Config)} - {one.key for one in CONFIG_SETTINGS} == {"ports"}


@pytest.mark.parametrize("setting", PORT_SETTINGS, ids=lambda setting: setting.key)
def test_an_example_of_a_port_is_not_the_default(setting: Setting[Any]) -> None:
    assert getattr(of_examples(), setting.key) != setting.fallback


def test_the_defaults_are_those_of_the_dataclasses() -> None:
    port = "{device: {serial: A}, line: {}, signals: {}, raw: 1}"
    config = parse(f"version: 1\ncontrol: none\nports: {{a: {port}}}", "f")
    written = config.ports[0]
    plain = PortConfig(name="a", device=DeviceMatch(serial="A"), raw=written.raw)
    assert config == Config((plain,), control=None)
    assert written.line == LineSettings()
    assert written.signals == SignalPolicies()


def test_every_setting_of_a_mapping_reaches_its_value() -> None:
    """A setting that the table has and its builder forgets would do nothing."""
    for build, path in (
        (build_match, "ports.NAME.device"),
        (build_line, "ports.NAME.line"),
        (build_signals, "ports.NAME.signals"),
        (build_log, "ports.NAME.log"),
        (build_record, "record"),
        (build_address, "ports.NAME.rfc2217"),
        (build_tls, "tls"),
        (build_kerberos, "kerberos"),
    ):
        for setting in TABLES[path]:
            if setting.key == "dsrdtr":
                continue
            asked = _Asked(Mapping(Place("x"), ()))
            build(asked)
            assert setting.key in asked.keys, (path, setting.key)


class _Asked(Values):
    """Values that note which settings are asked for."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self.keys: set[str] = set()

    def __getitem__(self, setting: Setting[T]) -> T:
        self.keys.add(setting.key)
        return setting.kind.read(Tree("x", setting.example).build(), setting.key)


def test_the_sample_is_right(tmp_path: Path) -> None:
    sample = ROOT / "etc/gatewayd.yaml"
    assert load(str(sample)).ports == ()
    assert sample.read_text().startswith("# yaml-language-server: $schema=/")
    # An entry stands behind `#` with its indentation, prose behind `# `.
    whole = re.sub(r"^#(  +\S)", r"\1", sample.read_text(), flags=re.MULTILINE)
    (tmp_path / "gatewayd.yaml").write_text(whole)
    ports = load(str(tmp_path / "gatewayd.yaml")).ports
    assert [port.name for port in ports] == ["psu1", "scope", "board", "console"]


@pytest.mark.parametrize("path", sorted((ROOT / "etc").glob("*.yaml")), ids=lambda path: path.name)
def test_all_files_that_are_shipped_are_right(path: Path) -> None:
    load(str(path))
