"""Adapters whose driver hangs or fails in the system call that a test names, under a real daemon.

They are PTYs; `sickdriver.c`, preloaded into the daemon, shows them as USB adapters.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.service.adapter import Adapter


def built(directory: Path) -> Path:
    """The library, compiled into `directory`."""
    source, library = Path(__file__).with_name("sickdriver.c"), directory / "sickdriver.so"
    flags = ["-O1", "-Wall", "-Werror", "-shared", "-fPIC"]
    subprocess.run(["gcc", *flags, "-o", str(library), str(source), "-ldl"], check=True)
    return library


class Hang:
    """A call that waits once it is made, until `cure`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1
        os.mkfifo(path)

    def wait(self) -> None:
        """Return when somebody is in the call. Those who make it later do not hang."""
        self._fd = os.open(self._path, os.O_WRONLY)
        self._path.unlink()

    def cure(self) -> None:
        """Have it come back, and do what it should."""
        os.close(self._fd)


class SickAdapter(Adapter):
    """An adapter for a daemon that runs with `environment(...)`."""

    def __init__(self, directory: Path, name: str) -> None:
        super().__init__(directory / name)
        self._folder = directory / os.path.basename(self.node)
        self._folder.mkdir()

    def hang(self, call: str) -> Hang:
        """Have the driver hang in the next `call`, as "TCSETS2" or "open"."""
        return Hang(self._folder / call)

    def fail(self, call: str, number: int) -> None:
        """Have each `call` fail with an errno from now on."""
        made = self._folder / f"{call}.new"
        made.write_text(str(number))
        made.rename(self._folder / call)

    def heal(self, call: str) -> None:
        """Have it fail no more."""
        (self._folder / call).unlink()


def environment(library: Path, directory: Path) -> dict[str, str]:
    """For a daemon that has SickAdapters of this directory."""
    return {"LD_PRELOAD": str(library), "SICK_DIR": str(directory)}
