"""What a daemon has in its memory: nothing of what its file does not ask for."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Final

import pytest

from gatewayd import __version__
from gatewayd.config import apart
from gatewayd.config.problem import ConfigError
from tests.cli.program import ROOT
from tests.ports import free_ports
from tests.service.client import connect
from tests.watched import Watched

PROGRAM: Final = """
import sys
before = {*sys.modules}  # what this machine has its Python import
from gatewayd.cli.main import main
from gatewayd.later import Later
status = main(sys.argv[1:])
made = {name for name, module in sys.modules.items() if module and type(module) is not Later}
print("modules:", *(made - before), "end")
sys.exit(status)
"""
UNUSED: Final = (
    *("dataclasses", "ipaddress", "inspect", "ast", "dis", "opcode"),
    *(
        "json",
        "queue",
        "linecache",
        "tokenize",
        "textwrap",
        "locale",
        "asyncio.sslproto",
        "asyncio.staggered",
    ),
    *("argparse", "gettext", "shutil", "difflib", "yaml", "pickle", "ssl", "base64", "tempfile"),
    *("systemd", "jeepney", "h11", "wsproto", "multiprocessing", "hashlib", "http", "email"),
    *(
        f"gatewayd.{name}"
        for name in (
            *("cli.parser", "config.load", "config.document", "config.json_schema"),
            *("config.keys", "config.kinds", "config.settings", "config.values", "config.tree"),
            *("tls", "record", "metrics", "desk", "login", "kerberos", "advertise", "web"),
            *("fleet", "demo", "doctor", "export", "ser2net", "labgrid", "control.client"),
            *("service.watching", "service.measuring", "service.advertising", "service.fronting"),
        )
    ),
)
"""What nothing in a plain file asks for: the features, and what reads the file."""


@pytest.fixture
def plain(tmp_path: Path) -> tuple[Path, int]:
    """A file with nothing in it that need not be, and the TCP port of its port."""
    (port,) = free_ports(1)
    path = tmp_path / "gatewayd.yaml"
    path.write_text(
        f"version: 1\ncontrol: {tmp_path}/control\n"
        f"ports: {{a: {{device: {tmp_path}/tty, rfc2217: {port}}}}}\n"
    )
    return path, port


def test_a_daemon_with_a_plain_file_has_nothing_of_what_it_does_not_use(
    plain: tuple[Path, int],
) -> None:
    path, port = plain
    argv = [sys.executable, "-c", PROGRAM, "run", "-c", str(path)]
    with Watched(argv, directory=ROOT) as daemon:
        daemon.wait_for(rf"gatewayd {__version__} serves ")
        with connect(port) as client:
            assert client.recv(1) != b""
            path.write_text(path.read_text().replace("ports:", "accept_rate: 40\nports:"))
            daemon.process.send_signal(signal.SIGHUP)
            daemon.wait_for("configuration in force: ")
        daemon.process.terminate()
        modules = daemon.wait_for(r"modules: (.*) end")[1].split()
    found = {
        name for name in modules for one in UNUSED if name == one or name.startswith(f"{one}.")
    }
    assert found == set()


def test_a_file_that_is_read_apart_is_what_it_is_here(plain: tuple[Path, int]) -> None:
    path, _ = plain
    assert apart.load(str(path)) == apart.outcome(str(path))


def test_problems_that_are_found_apart_are_those_found_here(plain: tuple[Path, int]) -> None:
    path, _ = plain
    path.write_text(path.read_text().replace("rfc2217", "rfc2127"))
    with pytest.raises(ConfigError) as refused:
        apart.load(str(path))
    assert refused.value.problems == apart.outcome(str(path))
    assert "did you mean 'rfc2217'?" in str(refused.value)


def test_a_file_is_not_read_by_another_version(
    plain: tuple[Path, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = plain
    monkeypatch.setattr(apart, "__version__", "0")
    with pytest.raises(ConfigError, match="another version of gatewayd was installed"):
        apart.load(str(path))


def test_without_a_process_for_it_a_file_cannot_be_read_now(
    plain: tuple[Path, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = plain
    monkeypatch.setattr(sys, "executable", "/nonexistent/python3")
    with pytest.raises(ConfigError, match=r"cannot be read now \(No such file or directory\)"):
        apart.load(str(path))


def test_a_process_that_fails_is_told_of_by_its_last_words(
    plain: tuple[Path, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = plain
    elsewhere = path.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "gatewayd.py").write_text("raise RuntimeError('broken')\n")
    monkeypatch.setattr(sys, "path", [str(elsewhere)])
    with pytest.raises(ConfigError, match=r"cannot be read now \(RuntimeError: broken\)"):
        apart.load(str(path))
