"""Kinds of values that say who may come: files of keys and of users, and names."""

from __future__ import annotations

import posixpath
import re
from typing import Final

from gatewayd.config.kinds import ScalarKind
from gatewayd.config.problem import quoted
from gatewayd.config.setting import Json
from gatewayd.config.tree import Scalar
from gatewayd.config.values import LONGEST_PATH
from gatewayd.credentials import CREDENTIAL

USER_NAME: Final = r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}"
"""What somebody may be called who proves his name."""


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
