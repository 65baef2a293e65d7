"""The kinds of value that settings have in general: texts, numbers, choices, lists, mappings."""

from __future__ import annotations

import abc
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from gatewayd.config.problem import ConfigError, Problem, alternatives, did_you_mean, quoted
from gatewayd.config.setting import (
    Json,
    Setting,
    Values,
    mapping_schema,
    read_settings,
    wrong,
)
from gatewayd.config.tree import Mapping, Node, Scalar, Sequence, noun

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class ScalarKind(abc.ABC, Generic[T_co]):
    """A kind that is written as a single value."""

    @property
    @abc.abstractmethod
    def syntax(self) -> str: ...

    @property
    @abc.abstractmethod
    def schema(self) -> Json: ...

    @abc.abstractmethod
    def parse(self, scalar: Scalar) -> T_co:
        """The value. Raises ValueError with what was found and what would do."""

    def read(self, node: Node, name: str) -> T_co:
        if not isinstance(node, Scalar) or node.empty:
            raise wrong(node, name, f"found {noun(node)}; write {self.syntax}")
        try:
            return self.parse(node)
        except ValueError as error:
            raise wrong(node, name, str(error)) from None


@dataclass(frozen=True, slots=True)
class Text(ScalarKind[str]):
    """Printable text on one line, at most `limit` characters."""

    syntax: str = "TEXT"
    limit: int = 200

    @property
    def schema(self) -> Json:
        return {"type": ["string", "number", "boolean"], "maxLength": self.limit}

    def parse(self, scalar: Scalar) -> str:
        if len(scalar.text) > self.limit:
            raise ValueError(f"{len(scalar.text)} characters; write {self.limit} at most")
        if not scalar.text.isprintable():
            raise ValueError(f"{quoted(scalar.text)} has control characters; write plain text")
        return scalar.text


class Switch(ScalarKind[bool]):
    """`true` or `false`; YAML 1.1's other words for them are refused."""

    syntax = "true | false"
    schema = {"type": "boolean"}  # noqa: RUF012 - overrides a property

    def parse(self, scalar: Scalar) -> bool:
        if scalar.text in ("true", "false") and scalar.plain:
            return scalar.text == "true"
        if scalar.text in ("true", "false"):
            raise ValueError(f"found {scalar.text} in quotes; write it without them")
        raise ValueError(f"found {quoted(scalar.text)}; write true or false")


@dataclass(frozen=True, slots=True)
class Whole(ScalarKind[int]):
    """A whole number, written in decimal digits without quotes."""

    minimum: int
    maximum: int

    @property
    def syntax(self) -> str:
        return f"NUMBER ({self.minimum} to {self.maximum})"

    @property
    def schema(self) -> Json:
        return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}

    def parse(self, scalar: Scalar) -> int:
        wanted = f"write a whole number from {self.minimum} to {self.maximum}"
        if not scalar.plain:
            raise ValueError(f"found {quoted(scalar.text)} in quotes; {wanted} without them")
        if re.fullmatch(r"0[0-9]+", scalar.text):
            raise ValueError(f"{quoted(scalar.text)} begins with 0; {wanted}")
        if not re.fullmatch(r"[0-9]{1,12}", scalar.text):
            raise ValueError(f"found {quoted(scalar.text)}; {wanted}")
        if not self.minimum <= int(scalar.text) <= self.maximum:
            raise ValueError(f"{scalar.text} is out of range; {wanted}")
        return int(scalar.text)


@dataclass(frozen=True, slots=True)
class OneOf(ScalarKind[T]):
    """One of some words, with the value that each stands for; `also` are other spellings."""

    words: dict[str, T]
    also: dict[str, T]

    @property
    def syntax(self) -> str:
        return " | ".join(self.words)

    @property
    def schema(self) -> Json:
        return {"enum": [_json(word) for word in (*self.words, *self.also)]}

    def parse(self, scalar: Scalar) -> T:
        for known in (self.words, self.also):
            if scalar.text in known:
                return known[scalar.text]
        hint = did_you_mean(scalar.text, self.words)
        if scalar.plain and scalar.text.lower() in ("yes", "no", "on", "off", "true", "false"):
            hint = f"write {alternatives(self.words)}"
        raise ValueError(f"found {quoted(scalar.text)}; {hint}")


def _json(word: str) -> str | float | bool:
    """`word` as an editor's YAML parser sees it."""
    if word in ("true", "false"):
        return word == "true"
    if not re.fullmatch(r"[0-9.]+", word):
        return word
    return float(word) if "." in word else int(word)


@dataclass(frozen=True, slots=True)
class Group(Generic[T]):
    """A mapping with settings of its own; `build` makes the value and may raise ValueError."""

    settings: tuple[Setting[Any], ...]
    build: Callable[[Values], T]

    @property
    def syntax(self) -> str:
        return "{" + ", ".join(f"{setting.key}: ..." for setting in self.settings) + "}"

    @property
    def schema(self) -> Json:
        return mapping_schema(self.settings)

    def read(self, node: Node, name: str) -> T:
        values = read_settings(node, name, self.settings)
        if values.problems:
            raise ConfigError(values.problems)
        try:
            return self.build(values)
        except ValueError as error:
            raise wrong(node, name, str(error)) from None


@dataclass(frozen=True, slots=True)
class ShortOrGroup(Generic[T]):
    """A single value, or a mapping that says the same at length."""

    short: ScalarKind[T]
    group: Group[T]

    @property
    def syntax(self) -> str:
        return f"{self.short.syntax} | {self.group.syntax}"

    @property
    def schema(self) -> Json:
        return {"anyOf": [self.short.schema, self.group.schema]}

    def read(self, node: Node, name: str) -> T:
        return (
            self.group.read(node, name)
            if isinstance(node, Mapping)
            else self.short.read(node, name)
        )


@dataclass(frozen=True, slots=True)
class OneOrList(Generic[T]):
    """A value, or a list of at least one."""

    item: ScalarKind[T] | ShortOrGroup[T]

    @property
    def syntax(self) -> str:
        return f"{self.item.syntax} | [VALUE, ...]"

    @property
    def schema(self) -> Json:
        several = {"type": "array", "items": self.item.schema, "minItems": 1}
        return {"anyOf": [self.item.schema, several]}

    def read(self, node: Node, name: str) -> tuple[T, ...]:
        if not isinstance(node, Sequence):
            return (self.item.read(node, name),)
        if not node.items:
            raise wrong(node, name, f"found an empty list; write {self.syntax}")
        values: list[T] = []
        problems: list[Problem] = []
        for item in node.items:
            try:
                values.append(self.item.read(item, name))
            except ConfigError as error:
                problems.extend(error.problems)
        if problems:
            raise ConfigError(problems)
        return tuple(values)
