"""What is in the files of a record, and waiting for it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from tests.until import until_files

LINE: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d) ([<>!]) (.*)")


def text(directory: Path) -> str:
    """All of a port's text, oldest first."""
    files = sorted(directory.glob("*.log"), key=lambda file: (file.name[:10], len(file.name)))
    return "".join(file.read_text() for file in files)


def lines(directory: Path) -> list[tuple[str, str, str]]:
    """Stamp, mark and content of each line."""
    found = []
    for line in text(directory).splitlines():
        parts = LINE.fullmatch(line)
        assert parts is not None, line
        found.append((parts[1], parts[2], parts[3]))
    return found


def said(directory: Path, mark: str) -> list[str]:
    """What is on the lines with this mark."""
    return [content for _, one, content in lines(directory) if one == mark]


def wait_for(directory: Path, pattern: str, times: int = 1) -> str:
    """Wait until the text has `pattern` so often; the text."""
    found = ""

    def there() -> bool:
        nonlocal found
        found = text(directory)
        return len(re.findall(pattern, found)) >= times

    try:
        until_files(there, directory)
    except AssertionError:
        raise AssertionError(f"no {pattern!r} in:\n{found[-2000:]}") from None
    return found
