"""What a ser2net configuration says, whichever of its formats it is written in."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from gatewayd.errors import GatewayError


class UnreadableError(GatewayError):
    """A file is no ser2net configuration; the text begins with its name and line."""


class LeftOutError(Exception):
    """A connection cannot become a port; the text says why."""


@dataclass(frozen=True, slots=True, order=True)
class Remark:
    """Something that could not be carried over, and the line of the file that says it."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Option:
    """A name and a value with the line it stands in, in the words of ser2net 4."""

    name: str
    value: str
    line: int

    @property
    def true(self) -> bool:
        """Whether it is switched on; ser2net takes these words."""
        return self.value.lower() in ("true", "yes", "on", "1")

    @property
    def idle(self) -> bool:
        """Whether the value means that the option is not used."""
        return self.value.lower() in ("", "false", "off", "no", "0")


@dataclass(frozen=True, slots=True)
class Default:
    """A value for everything after it in the file; `kind` is the class it is for, or None."""

    name: str
    value: str
    kind: str | None
    line: int


@dataclass(frozen=True, slots=True)
class Connection:
    """One `connection` of ser2net 4; a port line of ser2net 3 is put into the same terms."""

    name: str
    line: int
    accepter: Option
    """The stack that clients come in by, such as `telnet(rfc2217),tcp,localhost,2000`."""
    connector: Option
    """The device, such as `serialdev,/dev/ttyS0,9600n81,local`."""
    enabled: bool
    options: tuple[Option, ...]
    defaults: tuple[Default, ...]
    """Those that stand before it."""

    def in_force(self, kind: str, names: Collection[str]) -> dict[str, Option]:
        """The defaults for `kind`, of `names`; those for a kind outdo those for all kinds."""
        found = {}
        for wanted in (None, kind):
            for default in self.defaults:
                if default.name in names and default.kind == wanted:
                    found[default.name] = Option(default.name, default.value, default.line)
        return found


@dataclass(frozen=True, slots=True)
class Source:
    """A whole file: its connections, and what else is in it that has no counterpart here."""

    connections: tuple[Connection, ...]
    remarks: tuple[Remark, ...]
    defaults: tuple[Default, ...]
    """All of the file, whether in force anywhere or not."""
