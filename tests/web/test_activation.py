"""Started by a socket unit, and gone when nobody is there."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.program import ROOT, Program
from tests.ports import free_ports
from tests.until import PATIENCE
from tests.watched import Watched
from tests.web.websocket import Talk

_PASS = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
os.execv(sys.executable, [sys.executable, "-m", "gatewayd", *sys.argv[2:]])
"""


def started(listener: socket.socket, directory: Path, *options: str) -> subprocess.Popen[str]:
    """The page, as a service manager starts it for that listener."""
    more = ("--control", str(directory / "control"), "--token", str(directory / "token"))
    return subprocess.Popen(
        [sys.executable, "-c", _PASS, str(listener.fileno()), "web", *more, *options],
        cwd=ROOT,
        pass_fds=[listener.fileno()],
        stderr=subprocess.PIPE,
        text=True,
    )


def get(port: int) -> int:
    """The status of the page."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.request("GET", "/")
        return connection.getresponse().status


def test_it_goes_when_nobody_is_there_and_the_next_one_is_served(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        for _ in range(2):
            # The manager starts it when somebody has connected.
            with started(listener, tmp_path, "--idle", "0.5") as process:
                assert get(port) == 200
                _, log = process.communicate(timeout=PATIENCE)
                assert process.returncode == 0, log
                assert "Traceback" not in log


def test_it_stays_while_a_page_is_open(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        origin = {"Origin": f"http://127.0.0.1:{port}"}
        with started(listener, tmp_path, "--idle", "0.2") as process:
            with Talk(port, "/live", origin) as talk:
                # Nothing is to be had from a daemon that is not there, and it is told so.
                assert talk.hear_of("why") == "gatewayd does not answer"
                with pytest.raises(subprocess.TimeoutExpired):
                    process.wait(1.0)
            process.communicate(timeout=PATIENCE)
            assert process.returncode == 0


@pytest.mark.skipif(
    shutil.which("systemd-socket-activate") is None, reason="there is no systemd-socket-activate"
)
def test_systemd_passes_the_socket(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "gatewayd", "web", "--idle", "0.5"]
    paths = ["--control", str(tmp_path / "control"), "--token", str(tmp_path / "token")]
    path = f"--setenv=PATH={os.environ['PATH']}"
    activate = ["systemd-socket-activate", path, "-l", f"127.0.0.1:{port}", *command, *paths]
    with Watched(activate, directory=ROOT) as program:
        program.wait_for("Listening on")
        assert get(port) == 200
        program.wait_for("the page is at")
        assert program.process.wait(PATIENCE) == 0
        assert "Traceback" not in program.text


def test_without_a_unit_it_stays(tmp_path: Path) -> None:
    control, token = str(tmp_path / "control"), str(tmp_path / "token")
    options = ("--listen", "[::1]:0", "--control", control, "--token", token)
    with Program("web", *options) as program:
        found = program.wait_for(r"the page is at http://\[::1\]:(\d+)/")
        with closing(http.client.HTTPConnection("::1", int(found[1]), timeout=PATIENCE)) as other:
            other.request("GET", "/rights")
            assert b'"look": true' in other.getresponse().read()


def test_an_address_that_others_reach_is_warned_of(tmp_path: Path) -> None:
    control, token = str(tmp_path / "control"), str(tmp_path / "token")
    with Program("web", "--listen", "0.0.0.0:0", "--control", control, "--token", token) as program:
        program.wait_for("in clear text")
