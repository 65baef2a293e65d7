"""`gatewayd check`."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.cli.program import gatewayd
from tests.tls import pki


def test_a_good_file(tmp_path: Path) -> None:
    path = tmp_path / "gatewayd.yaml"
    path.write_text("version: 1\nports: {a: {device: /dev/x, raw: 7001, rfc2217: [7002, 7003]}}")
    done = gatewayd("check", str(path))
    assert done.returncode == 0
    assert done.stdout == f"{path}: no problems; 1 port at 3 addresses\n"
    assert done.stderr == ""


def test_every_problem_is_one_line_of_the_output(tmp_path: Path) -> None:
    path = tmp_path / "gatewayd.yaml"
    path.write_text("version: 1\nports:\n  a: {diskriminator: /dev/x, raw: 12:30}\n  b: {}\n")
    done = gatewayd("check", str(path))
    assert done.returncode == 1
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert len(lines) == 5
    for line in lines:
        assert re.fullmatch(rf"{re.escape(str(path))}:[34]:\d+: ports\.[ab].*[;,] .+", line)


def test_passwords_in_a_record_of_what_others_type(tmp_path: Path) -> None:
    path = tmp_path / "gatewayd.yaml"
    entry = "{{device: /dev/{0}, raw: {{listen: '{1}', clear_text: true}}, record: {2}}}"
    ports = {
        "near": ("127.0.0.1:7001", "both"),
        "far": ("0.0.0.0:7002", "both"),
        "six": ("[::]:7003", "both"),
        "said": ("0.0.0.0:7004", "output"),
        "none": ("0.0.0.0:7005", "'off'"),
    }
    entries = "".join(f"  {name}: {entry.format(name, *one)}\n" for name, one in ports.items())
    path.write_text(f"version: 1\nports:\n{entries}")
    done = gatewayd("check", str(path))
    assert done.returncode == 0
    warnings = re.findall(r"^.*: warning: ports\.(\w+)\.record: .*passwords", done.stdout, re.M)
    assert warnings == ["far", "six"]


FILES = {
    "users": "users: {}\n",
    "tls.certificate": "tls: {{certificate: {}, key: '{pair.key}'}}\n",
    "tls.key": "tls: {{certificate: '{pair.certificate}', key: {}}}\n",
    "tls.client_ca": "tls: "
    "{{certificate: '{pair.certificate}', key: '{pair.key}', client_ca: {}}}\n",
    "kerberos.keytab": "kerberos: {{keytab: {}, principals: {{a@B: a}}}}\n",
}


@pytest.mark.parametrize("key", FILES)
@pytest.mark.parametrize("noun", ["a FIFO", "a device"])
def test_what_a_configuration_names_is_a_regular_file(key: str, noun: str, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo, 0o600)
    pair = pki.lab()
    named = fifo if noun == "a FIFO" else "/dev/zero"
    path = tmp_path / "gatewayd.yaml"
    path.write_text("version: 1\nports: {}\n" + FILES[key].format(named, pair=pair))
    done = gatewayd("check", str(path))
    assert done.returncode == 1
    assert done.stdout == f"{path}: {key.split('.')[0]}: {named}: is {noun}; name a regular file\n"


@pytest.mark.parametrize(
    "command", [("import",), ("user", "list", "--file"), ("web-token", "--token")]
)
def test_so_is_what_a_command_reads(command: tuple[str, ...], tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo, 0o600)
    done = gatewayd(*command, str(fifo))
    assert (done.returncode, done.stderr) == (1, f"{fifo}: is a FIFO; name a regular file\n")


@pytest.mark.parametrize("key", FILES)
@pytest.mark.parametrize("named", ["none", "/", "gatewayd.yaml", "credential:none"])
def test_run_refuses_the_files_that_check_refuses(key: str, named: str, tmp_path: Path) -> None:
    path = tmp_path / "gatewayd.yaml"
    entry = FILES[key].format(f"'{named}'", pair=pki.lab())
    path.write_text(f"version: 1\ncontrol: none\nports: {{}}\n{entry}")
    run, check = gatewayd("run", "-c", str(path)), gatewayd("check", str(path))
    assert run.returncode == os.EX_CONFIG
    said = run.stderr.partition(" error ")[2]
    assert said.startswith(f"{path}: {key.split('.')[0]}: ")
    if named.startswith("credential:"):
        # They are for the service alone.
        assert check.returncode == 0
        assert "not looked at: credential:none: there are no credentials here" in check.stdout
    else:
        assert (check.returncode, check.stdout) == (1, said)


def test_without_a_name_it_is_the_system_s_file() -> None:
    done = gatewayd("check", "--help")
    assert "/etc/gatewayd/gatewayd.yaml" in done.stdout
