"""What the benchmark is made of: the C programs, built here, and ser2net, from Debian."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent
BUILD = PROJECT / "build" / "bench"
SER2NET = "/usr/sbin/ser2net"
STUNNEL = "/usr/bin/stunnel4"
OPENSSL = "/usr/bin/openssl"
DEBIANS = "/usr/bin/python3"
TLS_HEADER = "/usr/include/openssl/ssl.h"
_TLS = {TLS_HEADER: "libssl-dev", OPENSSL: "openssl", STUNNEL: "stunnel4"}
"""What the rows by TLS need, and the package that it is in."""

_FLAGS = ["-std=gnu11", "-O2", "-Wall", "-Wextra"]


class BenchError(Exception):
    """The benchmark cannot go on; the text says why."""


@dataclass(frozen=True, slots=True)
class Tools:
    """Paths of the programs that the benchmark runs."""

    load: Path
    relay: Path
    tls: bool
    """Whether the load generator speaks TLS."""


def prepare() -> Tools:
    """Build the C programs and install what is missing (as root).

    Raises BenchError when something is missing and cannot be had.
    """
    missing = []
    if shutil.which("cc") is None:
        missing += ["gcc", "libc6-dev"]
    if not os.access(SER2NET, os.X_OK):
        missing.append("ser2net")
    without = [package for path, package in _TLS.items() if not os.access(path, os.R_OK)]
    if os.geteuid() == 0:
        missing += without
    if missing:
        _install(missing)
    elif without:
        print(f"bench: no rows by TLS without {' '.join(without)}", file=sys.stderr)
    return build()


def can_tls() -> bool:
    """Whether there is all that the rows by TLS need."""
    return all(os.access(path, os.R_OK) for path in _TLS)


def build() -> Tools:
    """Build the C programs, unless they are newer than their sources. Raises BenchError."""
    BUILD.mkdir(parents=True, exist_ok=True)
    tls = os.access(TLS_HEADER, os.R_OK)
    more = ["-DWITH_TLS", "-lssl", "-lcrypto"] if tls else []
    load = _build("load-tls" if tls else "load", ["load.c", "wire.c"], more)
    return Tools(load, _build("relay", ["relay.c"]), tls)


def _install(packages: list[str]) -> None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise BenchError(f"missing; install them first: apt-get install {' '.join(packages)}")
    # The benchmark starts ser2net itself: this keeps the package from starting a service.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-qy", *packages]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise BenchError(f"{' '.join(command)}: {done.stderr.strip()[-500:]}")


def _build(name: str, sources: list[str], more: Sequence[str] = ()) -> Path:
    target = BUILD / name
    paths = [HERE / source for source in sources]
    newest = max(path.stat().st_mtime for path in [*paths, *HERE.glob("*.h")])
    if target.exists() and target.stat().st_mtime > newest:
        return target
    command = ["cc", *_FLAGS, "-o", str(target), *map(str, paths), *more]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(f"{' '.join(command)}:\n{done.stderr}")
    return target


def install(python: str, project: Path = PROJECT) -> Path:
    """gatewayd as a package has it: compiled for this interpreter, with the package's own command.

    `project` is the checkout. Gives the path of the command. Raises BenchError.
    """
    directory = BUILD / ("installed" if project == PROJECT else "installed-before")
    shutil.rmtree(directory, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(project / "gatewayd", directory / "gatewayd", ignore=ignored)
    command = [python, "-I", "-m", "compileall", "-q", str(directory / "gatewayd")]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(f"{' '.join(command)}:\n{done.stderr or done.stdout}")
    text = (project / "packaging" / "gatewayd").read_text()
    line = "from gatewayd.cli.main import main"
    if line not in text:
        raise BenchError(f"packaging/gatewayd has not the line {line}")
    program = directory / "program"
    program.write_text(text.replace(line, f"sys.path.insert(0, {str(directory)!r})\n{line}"))
    return program


def interpreter(python: str, program: Path) -> list[str]:
    """The interpreter with the options that the package's command gives to Debian's; another one
    may have its modules elsewhere."""
    first = program.read_text().partition("\n")[0]
    return [python, first.split()[-1] if python == DEBIANS else "-I"]
