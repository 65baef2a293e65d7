"""Reading ser2net.yaml, the formats of ser2net 4.

Version 1 repeats its top-level keys, names things by anchors and pastes `*(anchor)` into strings,
which no YAML library keeps; so it is read from the parser's events. Version 2 has one mapping of
names for each kind of thing, and pastes `=(name)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gatewayd.ser2net.model import Connection, Default, Option, Remark, Source, UnreadableError

LONGEST_TEXT = 4096
DEEPEST = 16
KINDS_2 = {
    "connections": "connection",
    "defaults": "default",
    "delete_defaults": "delete_default",
    "admins": "admin",
    "leds": "led",
    "rotators": "rotator",
}
WITHOUT_COUNTERPART = {
    "admin": "the admin port has no counterpart; see gatewayd status",
    "include": "other files are not followed; import them one by one",
    "led": "LEDs have no counterpart",
    "rotator": "rotators have no counterpart",
}


@dataclass(frozen=True, slots=True)
class Node:
    """A value with its line and the anchor before it; a mapping is a list of pairs."""

    line: int
    value: str | list[Node] | list[tuple[Node, Node]]
    anchor: str | None = None

    @property
    def text(self) -> str:
        """The value if it is a single one, else nothing."""
        return self.value if isinstance(self.value, str) else ""

    def pairs(self) -> Iterator[tuple[Node, Node]]:
        """Keys and values if it is a mapping."""
        if isinstance(self.value, list):
            for item in self.value:
                if isinstance(item, tuple):
                    yield item


def read(text: str, name: str) -> Source:
    """All of a ser2net.yaml. Raises UnreadableError, naming the file as `name`."""
    connections: list[Connection] = []
    remarks: list[Remark] = []
    defaults: list[Default] = []
    every: list[Default] = []
    for kind, key, node in _things(_Reader(text, name)):
        if kind == "connection":
            connection = _connection(key, node, tuple(defaults), remarks)
            if connection is not None:
                connections.append(connection)
        elif kind == "default":
            entries = {word.text: value.text for word, value in node.pairs()}
            named = entries.get("name", key or "")
            value = entries.get("value", "")
            default = Default(named, value, entries.get("class"), node.line)
            defaults.append(default)
            every.append(default)
        elif kind == "delete_default":
            named, kinds = _deleted(key, node)
            defaults = [one for one in defaults if one.name != named or one.kind not in kinds]
        elif kind != "define":
            reason = WITHOUT_COUNTERPART.get(kind, "not known")
            remarks.append(Remark(node.line, f"{kind}: {reason}"))
    return Source(tuple(connections), tuple(remarks), tuple(every))


def _things(reader: _Reader) -> Iterator[tuple[str, str | None, Node]]:
    """Each thing that the file defines: its kind in the words of version 1, its name, its value."""
    for document in reader.documents():
        for key, value in document.pairs():
            if key.text == "defines":
                continue
            if key.text in KINDS_2:
                for name, definition in value.pairs():
                    yield KINDS_2[key.text], name.text, definition
            else:
                yield key.text, value.anchor, value


def _deleted(key: str | None, node: Node) -> tuple[str, set[str]]:
    """Name and classes of a default that goes; version 2 lists the classes behind the name."""
    entries = {word.text: value.text for word, value in node.pairs()}
    if entries or not isinstance(node.value, list):
        return entries.get("name", key or ""), {entries.get("class", node.text)}
    return key or "", {item.text for item in node.value if isinstance(item, Node)}


def _connection(
    name: str | None, node: Node, defaults: tuple[Default, ...], remarks: list[Remark]
) -> Connection | None:
    stacks: dict[str, Option] = {}
    options: list[Option] = []
    enabled = True
    for key, value in node.pairs():
        option = Option(key.text, value.text, key.line)
        if key.text in ("accepter", "connector"):
            stacks[key.text] = option
        elif key.text == "enable":
            enabled = option.true
        elif key.text == "name":
            name = name or value.text
        elif key.text == "options":
            options += [Option(word.text, text.text, word.line) for word, text in value.pairs()]
        elif key.text != "timeout" or value.text != "0":
            options.append(option)
    if len(stacks) < 2:
        remarks.append(Remark(node.line, f"{name}: left out, it needs an accepter and a connector"))
        return None
    accepter, connector = stacks["accepter"], stacks["connector"]
    name = name or "port"
    return Connection(name, node.line, accepter, connector, enabled, tuple(options), defaults)


class _Reader:
    """Builds nodes from a parser's events, keeping anchors and pasting texts as ser2net does."""

    def __init__(self, text: str, name: str) -> None:
        self._name = name
        self._texts: dict[str, str] = {}
        self._events: Iterator[Any] = self._parse(text)

    def documents(self) -> Iterator[Node]:
        """The top-level value of each document."""
        for event in self._events:
            if type(event).__name__ == "DocumentStartEvent":
                yield self._node(next(self._events), DEEPEST)

    def _parse(self, text: str) -> Iterator[Any]:
        import yaml

        try:
            yield from yaml.parse(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = mark.line + 1 if mark else 1
            problem = getattr(error, "problem", None) or "not YAML"
            raise UnreadableError(f"{self._name}:{line}: {problem}") from error

    def _node(self, event: Any, depth: int, path: tuple[str, ...] = ()) -> Node:
        line = event.start_mark.line + 1
        if depth == 0:
            raise UnreadableError(f"{self._name}:{line}: nested too deeply for a ser2net.yaml")
        kind = type(event).__name__
        if kind == "AliasEvent":
            # An alias of a mapping (a connection in a rotator) stands for nothing but its name.
            return Node(line, self._texts.get(event.anchor, event.anchor))
        if kind == "ScalarEvent":
            text = self._paste(event.value, line)
            if event.anchor:
                self._texts[event.anchor] = text
            if path[:1] == ("defines",) and len(path) == 2:
                self._texts[path[1]] = text
            return Node(line, text, event.anchor)
        if kind == "SequenceStartEvent":
            items = [self._node(item, depth - 1) for item in self._until("SequenceEndEvent")]
            return Node(line, items, event.anchor)
        pairs = []
        for item in self._until("MappingEndEvent"):
            key = self._node(item, depth - 1)
            value = self._node(next(self._events), depth - 1, (*path, key.text))
            pairs.append((key, value))
        return Node(line, pairs, event.anchor)

    def _until(self, end: str) -> Iterator[Any]:
        for event in self._events:
            if type(event).__name__ == end:
                return
            yield event

    def _paste(self, text: str, line: int) -> str:
        """`text` with the texts that `*(name)` or `=(name)` stand for."""

        def pasted(form: re.Match[str]) -> str:
            return self._texts.get(form[1], form[0])

        text = re.sub(r"[*=]\(([^()*=]+)\)", pasted, text)
        if len(text) > LONGEST_TEXT:
            raise UnreadableError(
                f"{self._name}:{line}: a text of more than {LONGEST_TEXT} characters"
            )
        return text
