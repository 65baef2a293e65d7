"""Kinds of values that say who may come: files of keys and of users, and names."""

from __future__ import annotations

import posixpath
import re
from typing import Final

from gatewayd.config.kinds import ScalarKind
from gatewayd.config.problem import ConfigError, Problem, quoted
from gatewayd.config.setting import Json, entries, wrong
from gatewayd.config.tree import Mapping, Node, Scalar, noun
from gatewayd.config.values import LONGEST_PATH
from gatewayd.credentials import CREDENTIAL

USER_NAME: Final = r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}"
"""What somebody may be called who proves his name."""


PRINCIPAL: Final = r"[^@\s\\]{1,200}@[^@\s\\]{1,200}"
"""Of Kerberos, without the characters that would have to be quoted."""


def user_name_problem(name: str) -> str:
    """What is wrong with a user's name; empty if nothing is."""
    if re.fullmatch(USER_NAME, name):
        return ""
    return (
        f"{name!r} is no user's name; up to 64 letters (a to z), digits, _ . @ and -, beginning "
        "with a letter, a digit or _"
    )


class KeyFile(ScalarKind[str]):
    """The path of a file, from the directory of the configuration on, or the name of a credential
    that the service manager passes."""

    syntax = "PATH | credential:NAME"

    @property
    def schema(self) -> Json:
        return {"type": "string", "minLength": 1, "maxLength": LONGEST_PATH}

    def parse(self, scalar: Scalar) -> str:
        text = scalar.text
        if text.startswith(CREDENTIAL):
            if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}", text[len(CREDENTIAL) :]):
                raise ValueError(
                    f"{quoted(text)} names no credential; write credential:NAME, with the NAME of "
                    "LoadCredential= in the unit"
                )
            return text
        path = posixpath.join(posixpath.dirname(scalar.place.file), text)
        if not text or not text.isprintable() or len(path.encode()) > LONGEST_PATH:
            raise ValueError(f"{quoted(text)} cannot be the path of a file; write one")
        return path


class UserName(ScalarKind[str]):
    """The name of somebody who proves it."""

    syntax = "NAME"

    @property
    def schema(self) -> Json:
        return {"type": "string", "pattern": f"^{USER_NAME}$"}

    def parse(self, scalar: Scalar) -> str:
        if problem := user_name_problem(scalar.text):
            raise ValueError(problem)
        return scalar.text


class Principals:
    """A mapping from principals of Kerberos to the names of users."""

    syntax = "{PRINCIPAL@REALM: NAME, ...}"
    schema: Json = {  # noqa: RUF012 - it is not changed
        "type": "object",
        "minProperties": 1,
        "patternProperties": {f"^{PRINCIPAL}$": UserName().schema},
        "additionalProperties": False,
    }

    def read(self, node: Node, name: str) -> tuple[tuple[str, str], ...]:
        """Pairs of a principal and a name, in the order of the file. Raises ConfigError."""
        if not isinstance(node, Mapping) or not node.entries:
            found = "an empty mapping" if isinstance(node, Mapping) else noun(node)
            raise wrong(node, name, f"found {found}; write {self.syntax}")
        problems: list[Problem] = []
        pairs: list[tuple[str, str]] = []
        for key, value, _ in entries(node, name, problems):
            if not re.fullmatch(PRINCIPAL, key.text) or not key.text.isprintable():
                text = f"{quoted(key.text)} is no principal; write one as klist shows it, alice@LAB"
                problems.extend(wrong(key, name, text).problems)
            try:
                pairs.append((key.text, UserName().read(value, name)))
            except ConfigError as error:
                problems.extend(error.problems)
        if problems:
            raise ConfigError(problems)
        return tuple(pairs)
