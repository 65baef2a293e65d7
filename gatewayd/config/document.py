"""A whole configuration file: its top level, its ports, and what they must not share."""

from __future__ import annotations

import re
from typing import Any

from gatewayd.config.clash import AddressUse, DeviceUse, address_clashes, device_clashes
from gatewayd.config.problem import ConfigError, Place, Problem, quoted
from gatewayd.config.schema import Address, Config, PortConfig
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
    BETWEEN_SESSIONS,
    DESCRIPTION,
    DEVICE,
    LENIENT,
    LINE,
    LINE_SETTINGS,
    MATCH_SETTINGS,
    ON_UNPLUG,
    PEER_TIMEOUT,
    PORT_SETTINGS,
    RAW,
    RFC2217,
    SIGNAL_SETTINGS,
    SIGNALS,
    TAKEOVER,
    TRUST_PATH,
    WHILE_ABSENT,
)
from gatewayd.config.tree import Mapping, Node, Scalar, Sequence, noun
from gatewayd.config.values import ControlPath, Version

PORT_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


class Ports:
    """The kind of `ports`: names, and the settings of each."""

    syntax = "{NAME: {device: ..., rfc2217: ..., ...}, ...}"

    @property
    def schema(self) -> Json:
        port = mapping_schema(PORT_SETTINGS)
        port["anyOf"] = [{"required": [RFC2217.key]}, {"required": [RAW.key]}]
        return {
            "type": ["object", "null"],
            "patternProperties": {f"^{PORT_NAME}$": port},
            "additionalProperties": False,
        }

    def read(self, node: Node, name: str) -> tuple[PortConfig, ...]:
        if isinstance(node, Scalar) and node.empty:
            return ()
        if not isinstance(node, Mapping):
            text = f"found {noun(node)}; write a mapping from the names of ports to their settings"
            raise wrong(node, name, text)
        problems: list[Problem] = []
        ports: list[PortConfig] = []
        devices: list[DeviceUse] = []
        addresses: list[AddressUse] = []
        for key, value in entries(node, name, problems):
            try:
                check_name(key.text)
            except ValueError as error:
                problems.extend(wrong(key, name, str(error)).problems)
            shown = key.text[:64] if key.text.isprintable() else "?"
            label = f"{name}.{shown}"
            values = read_settings(value, label, PORT_SETTINGS, owner=key)
            if isinstance(value, Mapping) and not {RFC2217.key, RAW.key} & values.nodes.keys():
                text = (
                    f"no address to serve it at; write rfc2217: {RFC2217.example}, or raw:, or both"
                )
                values.problems.extend(wrong(key, label, text).problems)
            devices += _device_uses(shown, values)
            addresses += _address_uses(shown, values)
            if not values.problems:
                ports.append(build_port(key.text, values, key.place))
            problems += values.problems
        problems += device_clashes(devices) + address_clashes(addresses)
        if problems:
            raise ConfigError(problems)
        return tuple(ports)


VERSION: Setting[int] = Setting("version", Version(), "Version of the format of this file.", "1")
PORTS: Setting[tuple[PortConfig, ...]] = Setting(
    "ports", Ports(), "The ports, each by its name.", "{psu1: {device: /dev/ttyS0, raw: 7101}}"
)
CONTROL: Setting[str] = Setting(
    "control",
    ControlPath(),
    "Path of the socket by which gatewayd is asked for its state while it runs, or none.",
    "none",
    "/run/gatewayd/control",
)
TOP_SETTINGS: tuple[Setting[Any], ...] = (VERSION, PORTS, CONTROL)

TABLES: dict[str, tuple[Setting[Any], ...]] = {
    "": TOP_SETTINGS,
    "ports.NAME": PORT_SETTINGS,
    "ports.NAME.device": MATCH_SETTINGS,
    "ports.NAME.line": LINE_SETTINGS,
    "ports.NAME.signals": SIGNAL_SETTINGS,
}
"""All settings there are, by the path of the mapping that they stand in."""


def judge(root: Node) -> Config:
    """The configuration that a file says. Raises ConfigError with all that is wrong."""
    values = read_settings(root, "", TOP_SETTINGS)
    if values.problems:
        raise ConfigError(values.problems)
    return Config(ports=values[PORTS], control=values[CONTROL] or None)


def check_name(text: str) -> None:
    """Raises ValueError when `text` cannot be the name of a port."""
    if not re.fullmatch(PORT_NAME, text):
        raise ValueError(
            f"{quoted(text)} cannot name a port; write 1 to 64 letters (a-z), digits, '.', '_' or "
            "'-', beginning with a letter or a digit"
        )


def build_port(name: str, values: Values, place: Place) -> PortConfig:
    """The port that `values`, without problems, say."""
    return PortConfig(
        name=name,
        description=values[DESCRIPTION],
        device=values[DEVICE],
        line=values[LINE],
        rfc2217=values[RFC2217],
        raw=values[RAW],
        lenient=values[LENIENT],
        takeover=values[TAKEOVER],
        signals=values[SIGNALS],
        peer_timeout=values[PEER_TIMEOUT],
        between_sessions=values[BETWEEN_SESSIONS],
        on_unplug=values[ON_UNPLUG],
        while_absent=values[WHILE_ABSENT],
        trust_path=values[TRUST_PATH],
        where=(place.file, place.line),
    )


def _device_uses(port: str, values: Values) -> list[DeviceUse]:
    node = values.nodes.get(DEVICE.key)
    if node is None:
        return []
    try:
        return [DeviceUse(port, node.place, values[DEVICE])]
    except ConfigError:
        return []


def _address_uses(port: str, values: Values) -> list[AddressUse]:
    """The addresses of a port that are right, each with its own place."""
    uses = []
    for setting in (RFC2217, RAW):
        node = values.nodes.get(setting.key)
        items = node.items if isinstance(node, Sequence) else () if node is None else (node,)
        for item in items:
            uses += [
                AddressUse(port, item.place, setting.key, address)
                for address in _read_address(setting, item)
            ]
    return uses


def _read_address(setting: Setting[tuple[Address, ...]], item: Node) -> tuple[Address, ...]:
    if not isinstance(item, Scalar):
        return ()
    try:
        return setting.kind.read(item, setting.key)
    except ConfigError:
        return ()
