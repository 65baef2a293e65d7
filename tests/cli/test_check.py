"""`gatewayd check`."""

from __future__ import annotations

import re
from pathlib import Path

from tests.cli.program import gatewayd


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


def test_without_a_name_it_is_the_system_s_file() -> None:
    done = gatewayd("check", "--help")
    assert "/etc/gatewayd/gatewayd.yaml" in done.stdout
