"""A WebSocket as a test writes it: any headers, texts both ways."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, RejectConnection, Request, TextMessage

from tests.until import PATIENCE


class Talk:
    """One of them, for the length of a `with` block. `status` is what the server answered."""

    def __init__(self, port: int, path: str, headers: Mapping[str, str]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.connection = WSConnection(ConnectionType.CLIENT)
        self._messages: list[dict[str, Any]] = []
        self._text = ""
        self.closed = False
        self.status = 0
        others = {name: value for name, value in headers.items() if name != "Host"}
        upgrade = Request(
            host=headers.get("Host", f"127.0.0.1:{port}"),
            target=path,
            extra_headers=[(name.encode(), value.encode()) for name, value in others.items()],
        )
        self.socket.sendall(self.connection.send(upgrade))
        while not self.status and not self.closed:
            self._take()

    @classmethod
    def status_of(cls, port: int, path: str, headers: Mapping[str, str]) -> int:
        """What is answered to one that is closed at once."""
        with cls(port, path, headers) as talk:
            return talk.status

    def _take(self) -> None:
        data = self.socket.recv(65536)
        self.connection.receive_data(data or None)
        self.closed = not data
        for event in self.connection.events():
            match event:
                case AcceptConnection():
                    self.status = 101
                case RejectConnection(status_code=status):
                    self.status = status
                case TextMessage(data=text, message_finished=finished):
                    self._text += text
                    if finished:
                        self._messages.append(json.loads(self._text))
                        self._text = ""
                case CloseConnection():
                    self.closed = True
                case _:
                    pass

    def say(self, **message: object) -> None:
        """Send a message."""
        self.say_text(json.dumps(message))

    def say_text(self, text: str) -> None:
        """Send a text that may be no message."""
        self.socket.sendall(self.connection.send(TextMessage(text)))

    def hear(self) -> dict[str, Any] | None:
        """The next message; None when it was closed."""
        while not self._messages and not self.closed:
            self._take()
        return self._messages.pop(0) if self._messages else None

    def hear_of(self, key: str) -> Any:
        """The value of the next message that has this key; others go."""
        while (message := self.hear()) is not None:
            if key in message:
                return message[key]
        raise AssertionError(f"closed, and nothing of {key}")

    def __enter__(self) -> Talk:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.socket.close()
