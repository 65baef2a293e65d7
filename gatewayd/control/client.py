"""A call to the control socket, for the commands: plain blocking, light to import."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from typing import Any, Final

from gatewayd.control import interface
from gatewayd.errors import GatewayError

ANSWER_S: Final = 30.0
_TEXTS: Final = {
    "NoSuchPort": "there is no port {port}",
    "NotHeld": "nobody holds port {port}",
    "CannotAttach": "no connection to the port: {reason}",
    "NoConfigFile": "this gatewayd runs without a configuration file",
}


class ControlClientError(GatewayError):
    """Nobody answers, or not as agreed."""


class Refused(GatewayError):
    """The daemon answered with an error: its name without the interface's, and its parameters."""

    def __init__(self, name: str, parameters: Mapping[str, Any]) -> None:
        details = ", ".join(f"{key} {value}" for key, value in parameters.items())
        text = f"{name}: {details}" if details else name
        if name in _TEXTS:
            text = _TEXTS[name].format(port=parameters.get("port"), reason=parameters.get("reason"))
        super().__init__(text)
        self.name = name
        self.parameters = parameters


def call(path: str, method: str, **parameters: object) -> dict[str, Any]:
    """Call `method` on the daemon at `path` and return its answer's parameters.

    Raises Refused for an error of the daemon, ControlClientError when there is no answer.
    """
    request = {"method": f"{interface.NAME}.{method}", "parameters": parameters}
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(ANSWER_S)
            sock.connect(path)
            sock.sendall(json.dumps(request).encode() + b"\0")
            message = _message(sock)
    except PermissionError as error:
        raise ControlClientError(f"{path}: permission denied; it is for root and its group") from (
            error
        )
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise ControlClientError(f"{path}: {why}; is gatewayd running?") from error
    if "error" in message:
        name = str(message["error"]).removeprefix(f"{interface.NAME}.")
        raise Refused(name, message.get("parameters") or {})
    answer = message.get("parameters")
    return answer if isinstance(answer, dict) else {}


def _message(sock: socket.socket) -> dict[str, Any]:
    received = bytearray()
    while not received.endswith(b"\0"):
        data = sock.recv(65536)
        if not data:
            raise ControlClientError("gatewayd closed without an answer")
        received += data
    try:
        message = json.loads(received[:-1])
    except ValueError:
        message = None
    if not isinstance(message, dict):
        raise ControlClientError("the answer is not varlink: something else than gatewayd is there")
    return message
