"""Reads a configuration file: from bytes through YAML events to a tree, which is then judged."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from gatewayd.config.document import judge
from gatewayd.config.problem import ConfigError, Place, Problem, cut, quoted
from gatewayd.config.schema import Config
from gatewayd.config.tree import Mapping, Node, Scalar, Sequence
from gatewayd.regular import IrregularError, open_regular

LARGEST_FILE = 1 << 20
"""Bytes; 64 ports with all settings written out are 60 kB."""
DEEPEST = 20
"""Nested lists and mappings; a configuration has five."""
MOST_PROBLEMS = 100
"""Told of a file; each is a line in the log."""
MOST_NODES = 100_000
"""Values in the tree, counting what an alias stands for each time that it is used."""

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
TAGS = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq")
)
BRACKETED = re.compile(r"\[[0-9A-Fa-f:.%]*:[^\]]*\]:")
NEAR = 100
"""Characters around a mistake in which an address in brackets is looked for."""
# What no YAML file may hold (YAML 1.1, 5.1), and a byte order mark inside.
FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


def load(path: str) -> Config:
    """The configuration in the file `path`. Raises ConfigError, also when it cannot be read."""
    try:
        data = _read(path)
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else str(error)
        text = f"cannot be read ({cause}); name a file that exists and that you may read"
        raise ConfigError([Problem(Place(path), text)]) from None
    return parse(data, path)


def _read(path: str) -> bytes:
    try:
        with open_regular(path) as file:
            return file.read(LARGEST_FILE + 1)
    except IrregularError as error:
        raise ConfigError([Problem(Place(path), error.strerror)]) from None


def parse(text: str | bytes, name: str) -> Config:
    """The configuration in `text`; `name` stands for the file in messages. Raises ConfigError."""
    try:
        return judge(Tree(name, _decode(text, name)).build())
    except ConfigError as error:
        raise _bounded(error) from None


def _bounded(error: ConfigError) -> ConfigError:
    """`error` with `MOST_PROBLEMS` problems at most, and how many there are beyond."""
    told, rest = error.problems[:MOST_PROBLEMS], error.problems[MOST_PROBLEMS:]
    if not rest:
        return error
    more = f"{len(rest)} more problems from here on; mend those before it first"
    return ConfigError([*told, Problem(rest[0].place, more)])


def _decode(data: str | bytes, name: str) -> str:
    if len(data) > LARGEST_FILE:
        raise ConfigError([Problem(Place(name), f"larger than {LARGEST_FILE} bytes; split it up")])
    try:
        text = data if isinstance(data, str) else data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = _place(name, error.object[: error.start].decode("utf-8-sig"))
        found = f"byte 0x{error.object[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise ConfigError([Problem(place, found)]) from None
    forbidden = FORBIDDEN.search(text)
    if forbidden is not None:
        place = _place(name, text[: forbidden.start()])
        found = f"the character U+{ord(forbidden[0]):04X} cannot be in a YAML file; take it out"
        raise ConfigError([Problem(place, found)])
    return text


def _place(name: str, before: str) -> Place:
    """The place in the file `name` behind the text `before`."""
    line_start = before.rfind("\n") + 1
    return Place(name, before.count("\n") + 1, len(before) - line_start + 1)


class _Open:
    """A list or mapping whose end has not come yet."""

    def __init__(self, event: yaml.CollectionStartEvent) -> None:
        self.event = event
        self.children: list[Node] = []
        self.size = 1


class Tree:
    """Makes the tree of a document from YAML's events: bounded where a composer would recurse."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self.anchors: dict[str, tuple[Node, int]] = {}
        self.stack: list[_Open] = []
        self.roots: list[Node] = []
        self.total = 0

    def build(self) -> Node:
        """The root. Raises ConfigError."""
        for event in self._events():
            if isinstance(event, yaml.ScalarEvent):
                place = self._start(event)
                self._add(event, Scalar(place, event.value, plain=not event.style), 1)
            elif isinstance(event, yaml.AliasEvent):
                self._alias(event)
            elif isinstance(event, yaml.CollectionStartEvent):
                self.stack.append(_Open(event))
                if len(self.stack) > DEEPEST:
                    raise self._wrong(event, f"nested more than {DEEPEST} deep; write it flat")
            elif isinstance(event, yaml.CollectionEndEvent):
                self._end()
        if not self.roots:
            text = "the file is empty; begin with version: 1"
            raise ConfigError([Problem(Place(self.name, 1, 1), text)])
        return self.roots[0]

    def _events(self) -> Iterator[yaml.Event]:
        try:
            yield from yaml.parse(self.text, Loader=LOADER)
        except yaml.MarkedYAMLError as error:
            raise ConfigError([self._syntax_problem(error)]) from None
        except (yaml.YAMLError, ValueError) as error:
            # PyYAML without libyaml lets a ValueError through for some escapes and numbers.
            text = f"not YAML ({quoted(str(error))}); see the sample file"
            raise ConfigError([Problem(Place(self.name), text)]) from None

    def _alias(self, event: yaml.AliasEvent) -> None:
        if event.anchor not in self.anchors:
            anchor = cut(str(event.anchor), 60)
            text = f"unknown alias *{anchor}; an &{anchor} must come first"
            raise self._wrong(event, text)
        node, size = self.anchors[event.anchor]
        self._add(event, node, size)

    def _end(self) -> None:
        done = self.stack.pop()
        place = self._start(done.event)
        if isinstance(done.event, yaml.SequenceStartEvent):
            self._add(done.event, Sequence(place, tuple(done.children)), done.size)
        else:
            pairs = zip(done.children[::2], done.children[1::2], strict=True)
            self._add(done.event, Mapping(place, tuple(pairs)), done.size)

    def _add(self, event: yaml.NodeEvent, node: Node, size: int) -> None:
        """Put a finished node of `size` values where it belongs."""
        tag = getattr(event, "tag", None)
        if tag is not None and tag not in TAGS and tag != "!":
            raise self._wrong(event, f"the tag {quoted(tag)} means nothing here; leave it out")
        if event.anchor is not None:
            self.anchors[event.anchor] = node, size
        if not self.stack:
            self.roots.append(node)
            if len(self.roots) > 1:
                raise self._wrong(event, "a second document; a configuration is one")
            return
        self.stack[-1].children.append(node)
        self.stack[-1].size += size
        if self.stack[-1].size > MOST_NODES:
            raise self._wrong(
                event, f"more than {MOST_NODES} values, aliases followed; write fewer"
            )

    def _start(self, event: yaml.Event) -> Place:
        mark = event.start_mark
        assert mark is not None, "only events that were made by hand have no mark"
        return Place(self.name, mark.line + 1, mark.column + 1)

    def _wrong(self, event: yaml.Event, text: str) -> ConfigError:
        return ConfigError([Problem(self._start(event), text)])

    def _syntax_problem(self, error: yaml.MarkedYAMLError) -> Problem:
        mark = error.problem_mark or error.context_mark
        if mark is None:
            found = cut(str(error.problem))
            return Problem(Place(self.name), f"not YAML: {found}; see the sample file")
        lines = re.split("\r\n|[\r\n\x85\u2028\u2029]", self.text)
        line = lines[mark.line] if mark.line < len(lines) else ""
        if "\t" in line[: mark.column + 1]:
            hint = "there is a tab before it, and YAML takes spaces only"
        elif BRACKETED.search(line[max(mark.column - NEAR, 0) : mark.column + NEAR]):
            hint = "put an IPv6 address in quotes, as in '[::1]:7001'"
        elif "mapping values" in str(error.problem):
            hint = "put a text with ': ' in it in quotes, or mend the indentation"
        else:
            hint = "mend the indentation, or close a quote or bracket that was left open"
        context = f" {error.context}" if error.context else ""
        place = Place(self.name, mark.line + 1, mark.column + 1)
        return Problem(place, f"not YAML: {cut(f'{error.problem}{context}')}; {hint}")
