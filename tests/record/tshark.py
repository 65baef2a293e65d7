"""Debian's tshark, which must read what we write without being told anything."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")


def run(file: Path, *options: str) -> str:
    """What tshark prints of a file; it must have nothing to complain of."""
    # As root it warns of that, on standard error too.
    done = subprocess.run(
        ["tshark", "-r", str(file), *options], capture_output=True, text=True, timeout=60
    )
    complaints = [
        line for line in done.stderr.splitlines() if "user" not in line.lower() or "error" in line
    ]
    assert done.returncode == 0, done.stderr
    assert complaints == []
    return done.stdout


def fields(file: Path, *names: str, options: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The fields of each packet."""
    selected: list[Any] = []
    for name in names:
        selected += ["-e", name]
    text = run(file, *options, "-T", "fields", "-E", "separator=|", *selected)
    return [tuple(line.split("|")) for line in text.splitlines()]
