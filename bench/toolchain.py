"""What the benchmark is made of: the C programs, built here, and ser2net, from Debian."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent
BUILD = PROJECT / "build" / "bench"
SER2NET = "/usr/sbin/ser2net"

_FLAGS = ["-std=gnu11", "-O2", "-Wall", "-Wextra"]


class BenchError(Exception):
    """The benchmark cannot go on; the text says why."""


@dataclass(frozen=True, slots=True)
class Tools:
    """Paths of the programs that the benchmark runs."""

    load: Path
    relay: Path


def prepare() -> Tools:
    """Build the C programs and install what is missing (as root).

    Raises BenchError when something is missing and cannot be had.
    """
    missing = []
    if shutil.which("cc") is None:
        missing += ["gcc", "libc6-dev"]
    if not os.access(SER2NET, os.X_OK):
        missing.append("ser2net")
    if missing:
        _install(missing)
    return build()


def build() -> Tools:
    """Build the C programs, unless they are newer than their sources. Raises BenchError."""
    BUILD.mkdir(parents=True, exist_ok=True)
    return Tools(_build("load", ["load.c", "wire.c"]), _build("relay", ["relay.c"]))


def _install(packages: list[str]) -> None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise BenchError(f"missing; install them first: apt-get install {' '.join(packages)}")
    # The benchmark starts ser2net itself: this keeps the package from starting a service.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-qy", *packages]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise BenchError(f"{' '.join(command)}: {done.stderr.strip()[-500:]}")


def _build(name: str, sources: list[str]) -> Path:
    target = BUILD / name
    paths = [HERE / source for source in sources]
    newest = max(path.stat().st_mtime for path in [*paths, *HERE.glob("*.h")])
    if target.exists() and target.stat().st_mtime > newest:
        return target
    command = ["cc", *_FLAGS, "-o", str(target), *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(f"{' '.join(command)}:\n{done.stderr}")
    return target
