"""The commands' side of the control socket, when the other side is not as it should be."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewayd.control import SYSTEM_PATH, client, standard_path
from gatewayd.control.client import ControlClientError, Refused, call


@contextlib.contextmanager
def answering(path: Path, *answer: bytes) -> Iterator[list[bytes]]:
    """A server that takes one call and says `answer`."""
    calls = []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            caller, _ = listening.accept()
            with caller:
                calls.append(caller.recv(65536))
                for piece in answer:
                    caller.sendall(piece)

        thread = threading.Thread(target=serve)
        thread.start()
        yield calls
        thread.join(10)


def test_an_answer_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "control"
    with answering(path, b'{"parameters"', b': {"port": "\xc3', b'\xbc"}}', b"\0") as calls:
        assert call(str(path), "Kick", port="ü") == {"port": "ü"}
    assert calls == [b'{"method": "io.gatewayd.Gateway.Kick", "parameters": {"port": "\\u00fc"}}\0']


def test_an_error(tmp_path: Path) -> None:
    path = tmp_path / "control"
    error = b'{"error": "io.gatewayd.Gateway.NotHeld", "parameters": {"port": "psu1"}}\0'
    with answering(path, error), pytest.raises(Refused) as caught:
        call(str(path), "Kick", port="psu1")
    assert (caught.value.name, caught.value.parameters) == ("NotHeld", {"port": "psu1"})
    assert str(caught.value) == "nobody holds port psu1"


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\0", b"[]\0", b"\xff\0", b"\0"])
def test_something_else_answers(tmp_path: Path, answer: bytes) -> None:
    path = tmp_path / "control"
    with answering(path, answer), pytest.raises(ControlClientError, match="not varlink"):
        call(str(path), "Status")


@pytest.mark.parametrize("answer", [b"", b'{"parameters"'])
def test_it_closes_without_an_answer(tmp_path: Path, answer: bytes) -> None:
    path = tmp_path / "control"
    with answering(path, answer), pytest.raises(ControlClientError, match="closed without"):
        call(str(path), "Status")


def test_nobody_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "control"
    with pytest.raises(ControlClientError, match="No such file or directory; is gatewayd running"):
        call(str(path), "Status")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        with pytest.raises(ControlClientError, match="Connection refused"):
            call(str(path), "Status")
        monkeypatch.setattr(client, "ANSWER_S", 0.05)
        dead.listen()
        with pytest.raises(ControlClientError, match="timed out"):
            call(str(path), "Status")


def test_where_the_socket_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert standard_path() == f"{tmp_path}/gatewayd/control"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert standard_path() is None
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert standard_path() == SYSTEM_PATH
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/gatewayd:/run/other")
    assert standard_path() == "/run/gatewayd/control"
