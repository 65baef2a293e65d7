"""A call to the control socket, for the commands: plain blocking, light to import."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final

from gatewayd.control import interface
from gatewayd.errors import GatewayError

MOST_FDS: Final = 4
ANSWER_S: Final = 30.0
_TEXTS: Final = {
    "NoSuchPort": "there is no port {port}",
    "NotHeld": "nobody holds port {port}",
    "Leased": "port {port} is leased to {holder} until {until}; first: gatewayd free {port}",
    "NotLeased": "port {port} is leased to nobody",
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
            text = _TEXTS[name].format_map(_Parameters(parameters))
        super().__init__(text)
        self.name = name
        self.parameters = parameters


class _Parameters(dict[str, Any]):
    """What an answer that is not ours lacks is a question mark."""

    def __missing__(self, key: str) -> str:
        return "?"


def call(path: str, method: str, **parameters: object) -> dict[str, Any]:
    """Call `method` on the daemon at `path` and return its answer's parameters.

    Raises Refused for an error of the daemon, ControlClientError when there is no answer.
    """
    with Conversation(path, method, parameters) as conversation:
        answer = conversation.answer(ANSWER_S)
    if answer is None:
        raise ControlClientError(f"{path}: timed out; is gatewayd running?")
    return answer


class Conversation:
    """A call of `method` on the daemon at `path`, for the length of a `with` block.

    With `more` there are answers until it ends. Entering raises ControlClientError.
    """

    def __init__(
        self, path: str, method: str, parameters: Mapping[str, object], *, more: bool = False
    ) -> None:
        self._path = path
        self._request: dict[str, object] = {
            "method": f"{interface.NAME}.{method}",
            "parameters": parameters,
        }
        if more:
            self._request["more"] = True
        self._received = bytearray()
        self._fds: list[int] = []
        self._answered = False

    def __enter__(self) -> Conversation:
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._sock.settimeout(ANSWER_S)
            self._sock.connect(self._path)
            self._sock.sendall(json.dumps(self._request).encode() + b"\0")
        except OSError as error:
            self._sock.close()
            raise self._failed(error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._sock.close()
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()

    def handed(self, index: int) -> socket.socket:
        """The connection that came as the descriptor `index` beside the answers; it is the
        caller's. Raises ControlClientError when there is none."""
        if not 0 <= index < len(self._fds):
            raise ControlClientError("gatewayd answered without the connection")
        return socket.socket(fileno=self._fds.pop(index))

    def answer(self, patience: float | None) -> dict[str, Any] | None:
        """The parameters of the next answer; None when there is none in `patience` seconds.

        Raises Refused for an error of the daemon, ControlClientError when there is no answer.
        """
        try:
            self._sock.settimeout(patience)
            while b"\0" not in self._received:
                data, fds, _, _ = socket.recv_fds(self._sock, 65536, MOST_FDS)
                self._fds += fds
                if not data:
                    stopped = "has stopped" if self._answered else "closed without an answer"
                    raise ControlClientError(f"gatewayd {stopped}")
                self._received += data
        except TimeoutError:
            return None
        except OSError as error:
            raise self._failed(error) from error
        message, _, self._received = self._received.partition(b"\0")
        self._answered = True
        return _parameters(message)

    def _failed(self, error: OSError) -> ControlClientError:
        if isinstance(error, PermissionError):
            text = f"{self._path}: permission denied; it is for root and its group"
            return ControlClientError(text)
        why = os.strerror(error.errno) if error.errno else str(error)
        return ControlClientError(f"{self._path}: {why}; is gatewayd running?")


def _parameters(received: bytes | bytearray) -> dict[str, Any]:
    try:
        message = json.loads(received)
    except ValueError:
        message = None
    if not isinstance(message, dict):
        raise ControlClientError("the answer is not varlink: something else than gatewayd is there")
    if "error" in message:
        name = str(message["error"]).removeprefix(f"{interface.NAME}.")
        raise Refused(name, message.get("parameters") or {})
    answer = message.get("parameters")
    return answer if isinstance(answer, dict) else {}
