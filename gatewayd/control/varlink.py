"""Varlink's framing and its standard interface, without I/O: bytes in, calls out, bytes back.

A message is a JSON object and a NUL byte (https://varlink.org). `varlinkctl` of systemd speaks it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from gatewayd.value import Value

MAX_MESSAGE_BYTES: Final = 65536
SERVICE: Final = "org.varlink.service"
SERVICE_DESCRIPTION: Final = """\
interface org.varlink.service

method GetInfo() -> (
  vendor: string,
  product: string,
  version: string,
  url: string,
  interfaces: []string
)

method GetInterfaceDescription(interface: string) -> (description: string)

error InterfaceNotFound(interface: string)
error MethodNotFound(method: string)
error MethodNotImplemented(method: string)
error InvalidParameter(parameter: string)
error PermissionDenied()
error ExpectedMore()
"""
PERMISSION_DENIED: Final = f"{SERVICE}.PermissionDenied"
EXPECTED_MORE: Final = f"{SERVICE}.ExpectedMore"
SHORTEST_BYTES: Final = len(b'{"method":"a.B"}') + 1
"""No call is shorter."""


class CallError(Exception):
    """A call that is answered with an error: its qualified name and its parameters."""

    def __init__(self, name: str, parameters: Mapping[str, Any] | None = None) -> None:
        super().__init__(name)
        self.name = name
        self.parameters = dict(parameters or {})


class FramingError(Exception):
    """What came is not varlink; the connection is of no more use."""


class Call(Value):
    """A method call of `caller`. `oneway` wants no answer, `more` as many as there are."""

    method: str
    parameters: Mapping[str, Any] = MappingProxyType({})
    oneway: bool = False
    more: bool = False
    caller: str = ""


class Framer:
    """Splits a stream into messages; keeps at most `most` bytes of an unfinished one."""

    def __init__(self, most: int = MAX_MESSAGE_BYTES) -> None:
        self._most = most
        self._rest = b""

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The messages that are complete now. Raises FramingError."""
        *complete, self._rest = (self._rest + data).split(b"\0")
        if len(self._rest) > self._most:
            raise FramingError("message too long")
        return [_object(message) for message in complete]


def _object(message: bytes) -> dict[str, Any]:
    try:
        value = json.loads(message)
    except (ValueError, RecursionError) as error:
        raise FramingError("not JSON") from error
    if not isinstance(value, dict):
        raise FramingError("not a JSON object")
    return value


def encode(message: Mapping[str, Any]) -> bytes:
    """A message as it goes over the wire."""
    # JSON may say half of a surrogate pair, UTF-8 may not.
    return json.dumps(message, ensure_ascii=False).encode("utf-8", "replace") + b"\0"


def call_of(message: Mapping[str, Any], caller: str = "") -> Call:
    """The call in a message of `caller`. Raises FramingError."""
    method, parameters = message.get("method"), message.get("parameters") or {}
    if not isinstance(method, str) or not isinstance(parameters, dict):
        raise FramingError("not a call")
    oneway, more = bool(message.get("oneway")), bool(message.get("more"))
    return Call(method, parameters, oneway=oneway, more=more, caller=caller)


def answer(parameters: Mapping[str, Any], *, continues: bool = False) -> bytes:
    """A reply; `continues` says that more follow."""
    reply = {"parameters": dict(parameters)}
    return encode({**reply, "continues": True} if continues else reply)


def refusal(error: CallError) -> bytes:
    """An error reply."""
    return encode({"error": error.name, "parameters": error.parameters})


def argument(call: Call, name: str, kind: type, default: object = ...) -> Any:
    """A parameter of a call. Raises CallError when it is missing or of another kind."""
    value = call.parameters.get(name)
    if value is None and default is not ...:
        return default
    # JSON's true is an int to Python.
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise CallError(f"{SERVICE}.InvalidParameter", {"parameter": name})
    return value
