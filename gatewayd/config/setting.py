"""Settings: the keys of a mapping as a table, and how a mapping is read by it.

The kind of a setting reads its value, says how it is written, and describes it to an editor: the
judge, the reference and the JSON Schema cannot disagree.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, cast

from gatewayd.config.problem import ConfigError, Problem, did_you_mean, most_similar, quoted
from gatewayd.config.tree import Mapping, Node, Scalar, noun
from gatewayd.value import Value, defaults, said

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Json = dict[str, Any]


class Kind(Protocol[T_co]):
    """How the value of a setting is written."""

    @property
    def syntax(self) -> str:
        """The forms of the value, such as `true | false`; capitals are to be filled in."""
        ...

    @property
    def schema(self) -> Json:
        """The value in JSON Schema (draft 7)."""
        ...

    def read(self, node: Node, name: str) -> T_co:
        """The value of `node`, which is that of the setting `name`. Raises ConfigError."""
        ...


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """One key of a mapping: the table of these is the definition of the configuration."""

    key: str
    kind: Kind[T]
    doc: str
    """One sentence."""
    example: str
    """A value as it is written."""
    default: str | None = None
    """The value when the key is left out, as it would be written; None when it is required."""
    fallback: T | None = None
    """That value itself, where `default` is a word for people, such as `none`."""

    @property
    def required(self) -> bool:
        """Whether the key must be there."""
        return self.default is None


def settings_of(cls: type[Value], kinds: object) -> tuple[Setting[Any], ...]:
    """The keys that are declared in a class of values, by `gatewayd.config.declared.key`; `kinds`
    has what they name."""
    given = defaults(cls)
    return tuple(
        Setting(
            name,
            key.kind(kinds),
            key.doc,
            key.example,
            key.words if name in given else None,
            given.get(name),
        )
        for name, key in said(cls).items()
    )


class Values:
    """The values of a mapping by setting, as far as they are right, and what is wrong."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.problems: list[Problem] = []
        self.nodes: dict[str, Node] = {}
        self._values: dict[str, object] = {}

    def __getitem__(self, setting: Setting[T]) -> T:
        """The value or its default. Raises ConfigError when it was wrong or missing."""
        if setting.key in self._values:
            return cast(T, self._values[setting.key])
        if setting.key in self.nodes or setting.required:
            raise ConfigError(self.problems)
        if setting.fallback is not None:
            return setting.fallback
        return setting.kind.read(Scalar(self.node.place, str(setting.default)), setting.key)

    def get(self, key: str) -> Any:
        """The value that was written for `key`, if it is right; else None."""
        return self._values.get(key)

    def read(self, setting: Setting[T], node: Node, name: str) -> None:
        """Take `node` as the value of `setting`."""
        self.nodes[setting.key] = node
        with self._collecting():
            self._values[setting.key] = setting.kind.read(node, name)

    def judge(self, setting: Setting[Any], node: Node, name: str) -> None:
        """See what is wrong with `node` as one more value of `setting`."""
        with self._collecting():
            setting.kind.read(node, name)

    @contextlib.contextmanager
    def _collecting(self) -> Iterator[None]:
        try:
            yield
        except ConfigError as error:
            self.problems.extend(error.problems)


def wrong(node: Node, name: str, text: str) -> ConfigError:
    """The error that the value of `name` is not right."""
    return ConfigError([Problem(node.place, f"{name}: {text}" if name else text)])


def entries(
    node: Mapping, name: str, problems: list[Problem]
) -> Iterator[tuple[Scalar, Node, bool]]:
    """The entries of a mapping whose key is a text, and whether the key is there for the first
    time; what is wrong with keys is added to `problems`."""
    found: dict[str, Scalar] = {}
    for key, value in node.entries:
        if not isinstance(key, Scalar):
            problems.extend(wrong(key, name, f"a key is {noun(key)}; write a word").problems)
        elif key.text == "<<" and key.plain:
            text = "merge keys are not supported; write the settings out"
            problems.extend(wrong(key, name, text).problems)
        else:
            first = found.setdefault(key.text, key)
            if first is not key:
                text = (
                    f"duplicate key {quoted(key.text)}, first on line {first.place.line}; leave "
                    "one of them out"
                )
                problems.extend(wrong(key, name, text).problems)
            yield key, value, first is key


def read_settings(
    node: Node, name: str, settings: tuple[Setting[Any], ...], owner: Node | None = None
) -> Values:
    """Read a mapping whose keys are `settings`; what is missing is told at `owner`, its key.

    A key that is misspelt or there twice is judged all the same, so that one look shows all.
    """
    values = Values(node)
    prefix = f"{name}." if name else ""
    if not isinstance(node, Mapping):
        needed = [setting for setting in settings if setting.required] or settings
        hint = " and ".join(f"{setting.key}: {setting.example}" for setting in needed)
        text = f"found {noun(node)}; write a mapping, as in {hint}"
        values.problems.extend(wrong(node, name, text).problems)
        return values
    by_key = {setting.key: setting for setting in settings}
    again: list[tuple[Setting[Any], Node]] = []
    for key, value, first in entries(node, name, values.problems):
        setting = by_key.get(key.text)
        if setting is not None and first:
            values.read(setting, value, prefix + setting.key)
            continue
        if setting is None and first:
            text = f"unknown key {quoted(key.text)}; {did_you_mean(key.text, by_key)}"
            values.problems.extend(wrong(key, name, text).problems)
        meant = key.text if setting else most_similar(key.text, by_key)
        if meant is not None:
            again.append((by_key[meant], value))
    for setting, value in again:
        if setting.key in values.nodes:
            values.judge(setting, value, prefix + setting.key)
        else:
            values.read(setting, value, prefix + setting.key)
    for setting in settings:
        if setting.required and setting.key not in values.nodes:
            text = f"{setting.key} is missing; write {setting.key}: {setting.example}"
            values.problems.extend(wrong(owner or node, name, text).problems)
    return values


def mapping_schema(settings: tuple[Setting[Any], ...]) -> Json:
    """The JSON Schema of a mapping with `settings`."""
    return {
        "type": "object",
        "properties": {setting.key: _property(setting) for setting in settings},
        "required": [setting.key for setting in settings if setting.required],
        "additionalProperties": False,
    }


def _property(setting: Setting[Any]) -> Json:
    default = "" if setting.required else f" Default: {setting.default}."
    return {**setting.kind.schema, "description": setting.doc + default}
