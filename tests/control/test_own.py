"""Which gateway a command asks: the service, or one that was started in a terminal."""

from __future__ import annotations

import os
import re
import socket
import stat
import tempfile
from pathlib import Path

import pytest

from gatewayd.control import SYSTEM_PATH, own
from gatewayd.control.own import SeveralRun, find_path, own_path, running
from gatewayd.control.server import listening_socket
from gatewayd.demo.instrument import Instrument
from gatewayd.demo.terminal import InstrumentTerminal
from tests.cli.program import Program, gatewayd

pytestmark = pytest.mark.skipif(
    os.path.exists(SYSTEM_PATH), reason="a gatewayd that is a service runs here"
)


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's runtime directory."""
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(own, "standard_path", lambda: str(tmp_path / "gatewayd" / "control"))
    return tmp_path


def test_the_users_own_daemon_comes_first(runtime: Path) -> None:
    standard = runtime / "gatewayd" / "control"
    assert find_path() == str(standard)
    path = own_path("serve")
    assert path is not None
    with listening_socket(path):
        assert find_path() == path
        with listening_socket(str(standard)):
            assert find_path() == str(standard)


def test_two_of_them(runtime: Path) -> None:
    path = own_path("demo")
    assert path is not None
    with listening_socket(path), listening_socket(f"{path}0"):
        assert running() == [path, f"{path}0"]
        with pytest.raises(SeveralRun, match=rf"say which:\n  --control {re.escape(path)}\n"):
            find_path()


def test_what_a_dead_one_left_goes(runtime: Path) -> None:
    path = own_path("demo")
    assert path is not None
    listening_socket(path).close()
    listening_socket(f"{path}-look").close()
    assert running() == []
    assert os.listdir(os.path.dirname(path)) == []


def test_without_a_runtime_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    path = own_path("demo")
    assert path == f"{tmp_path}/gatewayd-{os.getuid()}/demo-{os.getpid()}"
    directory = os.path.dirname(path)
    assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700
    os.chmod(directory, 0o777)  # others could put a socket of theirs there
    assert own_path("demo") is None
    assert running() == []
    os.rmdir(directory)
    os.symlink(tmp_path, directory)
    assert own_path("demo") is None


def test_something_that_is_no_socket(runtime: Path) -> None:
    path = own_path("demo")
    assert path is not None
    Path(path).touch()
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(f"{path}-2")  # and does not listen: nobody answers
        assert running() == []


def test_status_finds_a_gateway_that_serves_one_device() -> None:
    with InstrumentTerminal(Instrument()) as terminal:
        with Program("serve", "--device", terminal.path, "--raw", "0", "--name", "psu1") as program:
            path = program.wait_for(r"gatewayd status --control (\S+)")[1]
            program.wait_for("psu1: .* open, 9600 8N1")
            done = gatewayd("status", "--control", path)
            assert done.returncode == 0, done.stderr
            assert re.search(r"^psu1 +ready", done.stdout, re.MULTILINE)
            assert gatewayd("reload", "--control", path).stderr == (
                "this gatewayd runs without a configuration file\n"
            )
        assert not os.path.exists(path)
