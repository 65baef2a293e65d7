"""Options that are settings of a port, judged as those in a file are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, TypeVar

from gatewayd.config.clash import AddressUse, address_clashes
from gatewayd.config.guarding import exposed
from gatewayd.config.problem import Place, Problem
from gatewayd.config.schema import Address
from gatewayd.config.values import parse_address

CLEAR_TEXT: Final = (
    "serve other machines in clear text and without login: needed for an ADDRESS that is not on "
    "loopback"
)

T = TypeVar("T")


class Options:
    """Reads options as far as they are right, and collects what is wrong."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._uses: list[AddressUse] = []

    def read(self, option: str, text: str, parse: Callable[[str], T]) -> T | None:
        """The value of an option; None when it is wrong. `parse` raises ValueError."""
        try:
            return parse(text)
        except ValueError as error:
            self.problems.append(Problem(Place(option), str(error)))
        return None

    def addresses(
        self, key: str, texts: Iterable[str], clear_text: bool, *, any_port: bool = True
    ) -> tuple[Address, ...]:
        """The addresses of a face; `clear_text` is whether others may reach them, `any_port`
        whether port 0 is any free one."""
        option = f"--{key}"
        parse = partial(parse_address, any_port=any_port)
        found = [self.read(option, text, parse) for text in texts]
        addresses = tuple(address for address in found if address is not None)
        self.problems += [
            Problem(
                Place(option),
                f"{address} can be reached from other machines, in clear text "
                "and by anybody; add --clear-text if that is meant, or write a configuration, "
                "which can have TLS",
            )
            for address in addresses
            if exposed(address) and not clear_text
        ]
        self._uses += [AddressUse("", Place(option), key, address) for address in addresses]
        return addresses

    def look_for_clashes(self) -> None:
        """Whether two of the addresses are one."""
        self.problems += address_clashes(self._uses)
