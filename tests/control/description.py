"""Reads an interface description, by the grammar of https://varlink.org/Interface-Definition."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(r"\s+|#[^\n]*|(->|\[string\]|\[\]|[():,?]|[A-Za-z][A-Za-z0-9_.-]*)")


@dataclass
class Interface:
    """`types`, `methods` (what goes in, what comes out) and `errors` by their names.

    A type is a name, a dict of fields, a list of the words of an enum, or a tuple of "?" or "[]"
    and the type that it is about.
    """

    name: str = ""
    types: dict[str, Any] = field(default_factory=dict)
    methods: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    errors: dict[str, Any] = field(default_factory=dict)

    def fits(self, value: object, kind: Any) -> bool:
        """Whether a value of JSON is one of this type, with all its fields and no other."""
        if isinstance(kind, dict):
            return (
                isinstance(value, dict)
                and value.keys() == kind.keys()
                and all(self.fits(value[key], inner) for key, inner in kind.items())
            )
        if isinstance(kind, list):
            return value in kind
        if isinstance(kind, tuple):
            if kind[0] == "?":
                return value is None or self.fits(value, kind[1])
            return isinstance(value, list) and all(self.fits(one, kind[1]) for one in value)
        if kind in self.types:
            return self.fits(value, self.types[kind])
        if kind == "int":
            return isinstance(value, int) and not isinstance(value, bool)
        return isinstance(value, {"string": str, "bool": bool, "float": float}[kind])


def parse(text: str) -> Interface:
    """The interface of a description. Raises ValueError."""
    tokens = _tokens(text)
    made = Interface()
    _expect(tokens, "interface")
    made.name = tokens.pop(0)
    while tokens:
        keyword, name = tokens.pop(0), tokens.pop(0)
        if not re.fullmatch("[A-Z][A-Za-z0-9]*", name):
            raise ValueError(f"not a name: {name}")
        if name in {*made.types, *made.methods, *made.errors}:
            raise ValueError(f"twice: {name}")
        if keyword == "type":
            made.types[name] = _struct(tokens)
        elif keyword == "error":
            made.errors[name] = _struct(tokens)
        elif keyword == "method":
            taken = _struct(tokens)
            _expect(tokens, "->")
            made.methods[name] = (taken, _struct(tokens))
        else:
            raise ValueError(f"not a member: {keyword}")
    return made


def _tokens(text: str) -> list[str]:
    tokens = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"not varlink: {text[at : at + 20]!r}")
        if match[1]:
            tokens.append(match[1])
        at = match.end()
    return tokens


def _struct(tokens: list[str]) -> Any:
    """`(name: type, ...)`, or the words of an enum: `(name, ...)`."""
    _expect(tokens, "(")
    fields: dict[str, Any] = {}
    words: list[str] = []
    while tokens[0] != ")":
        name = tokens.pop(0)
        if not re.fullmatch("[A-Za-z](_?[A-Za-z0-9])*", name) or name in fields or name in words:
            raise ValueError(f"not a field: {name}")
        if tokens[0] == ":":
            tokens.pop(0)
            fields[name] = _type(tokens)
        else:
            words.append(name)
        if tokens[0] == ",":
            tokens.pop(0)
    tokens.pop(0)
    if fields and words:
        raise ValueError("half an enum")
    return words or fields


def _type(tokens: list[str]) -> Any:
    if tokens[0] in ("?", "[]"):
        return (tokens.pop(0), _type(tokens))
    return _struct(tokens) if tokens[0] == "(" else tokens.pop(0)


def _expect(tokens: list[str], wanted: str) -> None:
    if not tokens or tokens.pop(0) != wanted:
        raise ValueError(f"{wanted} is missing")
