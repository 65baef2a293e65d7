"""The kinds of the keys of the file, for `gatewayd.config.schema`, and the two tables that follow.

From here come the JSON Schema and what docs/configuration.md is held to.
"""

from __future__ import annotations

import enum
import sys
from typing import Final, TypeVar

from gatewayd.config.door_kinds import KeyFile, UserName
from gatewayd.config.kinds import Group, OneOf, OneOrList, ShortOrGroup, Switch, Text, Whole
from gatewayd.config.schema import Config, PortConfig
from gatewayd.config.setting import settings_of
from gatewayd.config.settings import (
    KERBEROS_SETTINGS,
    LINE_SETTINGS,
    LOG_SETTINGS,
    MATCH_SETTINGS,
    METRICS_SPOT,
    RECORD_SETTINGS,
    SIGNAL_SETTINGS,
    SPOT,
    TLS_SETTINGS,
    build_kerberos,
    build_line,
    build_log,
    build_match,
    build_record,
    build_signals,
    build_tls,
)
from gatewayd.config.sharing import BusyKind, IdleKind
from gatewayd.config.sizes import Size
from gatewayd.config.values import (
    ControlPath,
    DevicePath,
    EscapeKind,
    LineKind,
    NetworkKind,
    OnUnplugKind,
    PageUrl,
    Seconds,
)

__all__ = [
    "CONFIG_SETTINGS",
    "KERBEROS_SETTINGS",
    "LINE_SETTINGS",
    "LOG_SETTINGS",
    "MATCH_SETTINGS",
    "METRICS_SPOT",
    "PORT_SETTINGS",
    "RECORD_SETTINGS",
    "SIGNAL_SETTINGS",
    "SPOT",
    "TLS_SETTINGS",
    "BusyKind",
    "ControlPath",
    "DevicePath",
    "EscapeKind",
    "Group",
    "IdleKind",
    "KeyFile",
    "LineKind",
    "NetworkKind",
    "OnUnplugKind",
    "OneOf",
    "OneOrList",
    "PageUrl",
    "Seconds",
    "ShortOrGroup",
    "Size",
    "Switch",
    "Text",
    "UserName",
    "Whole",
    "build_kerberos",
    "build_line",
    "build_log",
    "build_match",
    "build_record",
    "build_signals",
    "build_tls",
    "choice",
]


E = TypeVar("E", bound=enum.Enum)


def choice(of: type[E]) -> OneOf[E]:
    """One of the values of `of`, as they are written there."""
    return OneOf({one.value: one for one in of}, {})


_KINDS: Final = sys.modules[__name__]
PORT_SETTINGS = settings_of(PortConfig, _KINDS)
CONFIG_SETTINGS = settings_of(Config, _KINDS)
