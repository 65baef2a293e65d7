"""How sizes, days and directories are written."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from gatewayd.config.kinds import ScalarKind
from gatewayd.config.problem import quoted
from gatewayd.config.setting import Json
from gatewayd.config.tree import Scalar

LONGEST_DIRECTORY = 3800
"""Leaves room for what is put into it."""


def parse_size(text: str, minimum: int, maximum: int) -> int:
    """A number of bytes: `4096`, `64K`, `64KiB`, `100M`, `2G`. Raises ValueError."""
    form = re.fullmatch(r"([0-9]{1,12}) ?(?:([KMG])(?:i?B)?)?", text)
    if form is None:
        raise ValueError(f"{quoted(text)} is no size; write bytes such as 4096, or 64K, 100M, 2G")
    size = int(form[1]) << {"K": 10, "M": 20, "G": 30}.get(form[2] or "", 0)
    if not minimum <= size <= maximum:
        wanted = f"write {shown_size(minimum)} to {shown_size(maximum)}"
        raise ValueError(f"{text} is out of range; {wanted}")
    return size


def shown_size(size: int) -> str:
    """A number of bytes, as short as it can be written."""
    for unit, shift in (("G", 30), ("M", 20), ("K", 10)):
        if size and size % (1 << shift) == 0:
            return f"{size >> shift}{unit}"
    return str(size)


@dataclass(frozen=True, slots=True)
class Size(ScalarKind[int]):
    """A number of bytes; K, M and G are powers of 1024."""

    minimum: int
    maximum: int

    @property
    def syntax(self) -> str:
        least, most = shown_size(self.minimum), shown_size(self.maximum)
        return f"SIZE ({least} to {most}: 4096, 64K, 100M, 2G)"

    @property
    def schema(self) -> Json:
        number = {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}
        return {"anyOf": [number, {"type": "string", "pattern": "^[0-9]+ ?([KMG](i?B)?)?$"}]}

    def parse(self, scalar: Scalar) -> int:
        return parse_size(scalar.text, self.minimum, self.maximum)


class Days(ScalarKind[int]):
    """A number of days."""

    syntax = "NUMBER days (1 to 3650)"

    @property
    def schema(self) -> Json:
        number = {"type": "integer", "minimum": 1, "maximum": 3650}
        return {"anyOf": [number, {"type": "string", "pattern": "^[0-9]+ ?(d|days?)?$"}]}

    def parse(self, scalar: Scalar) -> int:
        form = re.fullmatch(r"([0-9]{1,5}) ?(?:d|days?)?", scalar.text)
        if form is None or not 1 <= int(form[1]) <= 3650:
            raise ValueError(f"found {quoted(scalar.text)}; write 1 day to 3650 days")
        return int(form[1])


class DirectoryPath(ScalarKind[str]):
    """The path of a directory."""

    syntax = "/PATH"

    @property
    def schema(self) -> Json:
        return {"type": "string", "pattern": "^/.", "maxLength": LONGEST_DIRECTORY}

    def parse(self, scalar: Scalar) -> str:
        text = scalar.text
        if not text.startswith("/") or not text.isprintable():
            raise ValueError(f"found {quoted(text)}; write an absolute path")
        if len(os.fsencode(text)) > LONGEST_DIRECTORY:
            raise ValueError("the path is too long; write a shorter one")
        return text
