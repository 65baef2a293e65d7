"""The Debian package, built from this tree."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def build_package(folder: Path, *version: str) -> Path:
    """Build the package into `folder`, as another version than the program's if wanted."""
    command = [str(ROOT / "packaging" / "build-deb"), *version]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    built = done.stdout.strip()
    package = Path(shutil.copy(ROOT / built, folder))
    if version:  # not to be taken for the real one
        (ROOT / built).unlink()
    return package
