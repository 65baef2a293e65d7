"""A whole configuration file: its top level, its ports, and what they must not share."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from typing import Any

from gatewayd.config.clash import AddressUse, DeviceUse, address_clashes, device_clashes
from gatewayd.config.guarding import unguarded, with_lists
from gatewayd.config.keys import CONFIG_SETTINGS, PORT_SETTINGS
from gatewayd.config.kinds import OneOrList
from gatewayd.config.problem import ConfigError, Place, Problem, quoted
from gatewayd.config.schema import Config, Face, OnBusy, PortConfig
from gatewayd.config.setting import (
    Json,
    Setting,
    Values,
    entries,
    mapping_schema,
    read_settings,
    wrong,
)
from gatewayd.config.settings import (
    ADDRESS_SETTINGS,
    KERBEROS_SETTINGS,
    LINE_SETTINGS,
    LOG_SETTINGS,
    MATCH_SETTINGS,
    METRICS_SPOT,
    RECORD_SETTINGS,
    SIGNAL_SETTINGS,
    SPOT,
    TLS_SETTINGS,
)
from gatewayd.config.tree import Mapping, Node, Scalar, Sequence, noun
from gatewayd.config.values import Version

FACES = {face.value for face in Face}
PORT_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


@dataclass(frozen=True, slots=True)
class PortsOfFile:
    """What stands below `ports`; of the addresses, no two clash."""

    ports: tuple[PortConfig, ...] = ()
    addresses: tuple[AddressUse, ...] = ()


class Ports:
    """The kind of `ports`: names, and the settings of each."""

    syntax = "{NAME: {device: ..., rfc2217: ..., ...}, ...}"

    @property
    def schema(self) -> Json:
        port = mapping_schema(PORT_SETTINGS)
        port["anyOf"] = [{"required": [face.value]} for face in Face]
        return {
            "type": ["object", "null"],
            "patternProperties": {f"^{PORT_NAME}$": port},
            "additionalProperties": False,
        }

    def read(self, node: Node, name: str) -> PortsOfFile:
        if isinstance(node, Scalar) and node.empty:
            return PortsOfFile()
        if not isinstance(node, Mapping):
            text = f"found {noun(node)}; write a mapping from the names of ports to their settings"
            raise wrong(node, name, text)
        problems: list[Problem] = []
        ports: list[PortConfig] = []
        devices: list[DeviceUse] = []
        addresses: list[AddressUse] = []
        for key, value, first in entries(node, name, problems):
            try:
                check_name(key.text)
            except ValueError as error:
                problems.extend(wrong(key, name, str(error)).problems)
            shown = key.text[:64] if key.text.isprintable() else "?"
            label = f"{name}.{shown}"
            values = read_settings(value, label, PORT_SETTINGS, owner=key)
            if isinstance(value, Mapping) and not FACES & values.nodes.keys():
                text = "no address to serve it at; write rfc2217: 7001, or raw:, or both"
                values.problems.extend(wrong(key, label, text).problems)
            busy = values.get("busy")
            if values.get("takeover") and busy and busy.then is not OnBusy.TAKEOVER:
                text = "busy: says what a second client gets; take one of the two out"
                place = values.nodes["takeover"]
                values.problems.extend(wrong(place, f"{label}.takeover", text).problems)
            if values.get("scpi") and Face.RAW.value not in values.nodes:
                text = "needs a raw: address, which is what is told of; write raw: 7101"
                values.problems.extend(wrong(values.nodes["scpi"], f"{label}.scpi", text).problems)
            if first:
                devices += _device_uses(shown, values)
                addresses += _address_uses(shown, values, PORT_SETTINGS)
            if not values.problems:
                ports.append(build_port(key.text, values, key.place))
            problems += values.problems
        problems += device_clashes(devices) + address_clashes(addresses)
        if problems:
            raise ConfigError(problems)
        return PortsOfFile(tuple(ports), tuple(addresses))


VERSION: Setting[int] = Setting("version", Version(), "Version of the format of this file.", "1")
PORTS: Setting[PortsOfFile] = Setting(
    "ports", Ports(), "The ports, each by its name.", "{psu1: {device: /dev/ttyS0, raw: 7101}}"
)
TOP_SETTINGS: tuple[Setting[Any], ...] = (VERSION, PORTS, *CONFIG_SETTINGS)

TABLES: dict[str, tuple[Setting[Any], ...]] = {
    "": TOP_SETTINGS,
    "ports.NAME": PORT_SETTINGS,
    "ports.NAME.device": MATCH_SETTINGS,
    "ports.NAME.line": LINE_SETTINGS,
    "ports.NAME.signals": SIGNAL_SETTINGS,
    "ports.NAME.log": LOG_SETTINGS,
    "ports.NAME.rfc2217": ADDRESS_SETTINGS,
    "record": RECORD_SETTINGS,
    "tls": TLS_SETTINGS,
    "kerberos": KERBEROS_SETTINGS,
}
"""All settings there are, by the path of the mapping that they stand in."""


def judge(root: Node) -> Config:
    """The configuration that a file says. Raises ConfigError with all that is wrong."""
    values = read_settings(root, "", TOP_SETTINGS)
    if values.problems:
        raise ConfigError(values.problems)
    of_file = values[PORTS]
    ours = _address_uses("", values, CONFIG_SETTINGS)
    config = Config(ports=of_file.ports, **_fields(values, CONFIG_SETTINGS))
    config = with_lists(config)
    if problems := address_clashes([*of_file.addresses, *ours]) + unguarded(config):
        raise ConfigError(problems)
    return config


def check_name(text: str) -> None:
    """Raises ValueError when `text` cannot be the name of a port."""
    if not re.fullmatch(PORT_NAME, text):
        raise ValueError(
            f"{quoted(text)} cannot name a port; write 1 to 64 letters (a-z), digits, '.', '_' or "
            "'-', beginning with a letter or a digit"
        )


def build_port(name: str, values: Values, place: Place) -> PortConfig:
    """The port that `values`, without problems, say."""
    where = (place.file, place.line)
    return PortConfig(name=name, where=where, **_fields(values, PORT_SETTINGS))


def _fields(values: Values, settings: tuple[Setting[Any], ...]) -> dict[str, Any]:
    """The fields of a dataclass whose keys are `settings`."""
    return {setting.key: values[setting] for setting in settings}


def _device_uses(port: str, values: Values) -> list[DeviceUse]:
    node = values.nodes.get("device")
    device = values.get("device")
    return [] if node is None or device is None else [DeviceUse(port, node.place, device)]


def _address_uses(
    port: str, values: Values, settings: tuple[Setting[Any], ...]
) -> list[AddressUse]:
    """The addresses in `values` that are right, each with its own place."""
    uses = []
    for setting in settings:
        kind, node = setting.kind, values.nodes.get(setting.key)
        if node is None or not isinstance(kind, OneOrList) or kind.item not in (SPOT, METRICS_SPOT):
            continue
        for item in node.items if isinstance(node, Sequence) else (node,):
            with contextlib.suppress(ConfigError):
                address = kind.item.read(item, setting.key)
                uses.append(AddressUse(port, item.place, setting.key, address))
    return uses
