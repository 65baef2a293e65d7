"""As much of udev(7) as our rules need: their syntax, strictly, and what they do to an event."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

TOKEN = re.compile(r'([A-Z]+)(?:\{([^}"]+)\})?\s*(==|!=|\+=|:=|=)\s*"([^"]*)"')
MATCHES = {"ACTION", "KERNEL", "SUBSYSTEM", "DRIVER", "ENV", "ATTR", "TEST", "SUBSYSTEMS", "ATTRS"}
ASSIGNMENTS = {"ENV", "ATTR", "SYMLINK", "GOTO", "LABEL"}
NEEDS_NAME = {"ENV", "ATTR", "ATTRS"}


@dataclass(frozen=True)
class Token:
    """One `KEY{name} op "value"`."""

    key: str
    name: str
    operator: str
    value: str

    @property
    def is_match(self) -> bool:
        return self.operator in ("==", "!=")

    def holds(self, actual: str | None) -> bool:
        """Whether `actual`, None for missing, is (or with != is not) one of the patterns."""
        found = any(fnmatchcase(actual or "", pattern) for pattern in self.value.split("|"))
        return found == (self.operator == "==")


Rule = tuple[Token, ...]


def parse(text: str) -> list[Rule]:
    """The rules of a file. Raises ValueError with the rule for whatever udevadm would not take."""
    rules = []
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        if not line.strip():
            continue
        if not re.fullmatch(rf"{TOKEN.pattern}(?:,\s*{TOKEN.pattern})*", line):
            raise ValueError(f"no rule: {line}")
        rule = tuple(Token(*found.groups(default="")) for found in TOKEN.finditer(line))
        for token in rule:
            known = MATCHES if token.is_match else ASSIGNMENTS
            if token.key not in known or (token.key in NEEDS_NAME) != bool(token.name):
                raise ValueError(f"{token} in: {line}")
        rules.append(rule)
    labels = [token.value for rule in rules for token in rule if token.key == "LABEL"]
    goals = [token.value for rule in rules for token in rule if token.key == "GOTO"]
    if sorted(set(labels)) != sorted(labels) or set(goals) != set(labels):
        raise ValueError(f"labels {labels} and their use {goals} differ")
    return rules


@dataclass
class Node:
    """A device in sysfs."""

    name: str
    subsystem: str
    attributes: dict[str, str] = field(default_factory=dict)
    driver: str = ""


@dataclass
class Event:
    """An event of `device`, whose `ancestors` come nearest first."""

    action: str
    device: Node
    ancestors: list[Node] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)

    def run(self, rules: list[Rule]) -> None:
        """Apply the rules, in order, with their jumps."""
        goal = ""
        for rule in rules:
            if goal and not any(token.key == "LABEL" and token.value == goal for token in rule):
                continue
            goal = ""
            parent = self._parent(rule)
            if parent is None or not all(map(self._holds, rule)):
                continue
            for token in rule:
                if token.is_match or token.key == "LABEL":
                    continue
                if token.key == "GOTO":
                    goal = token.value
                    break
                self._assign(token, self._expand(token.value, parent))

    def _parent(self, rule: Rule) -> Node | None:
        """The nearest node, from the device upwards, that all keys for ancestors are true of."""
        wanted = [token for token in rule if token.key in ("SUBSYSTEMS", "ATTRS")]
        for node in (self.device, *self.ancestors):
            if all(
                token.holds(
                    node.subsystem if token.key == "SUBSYSTEMS" else node.attributes.get(token.name)
                )
                for token in wanted
            ):
                return node
        return None

    def _holds(self, token: Token) -> bool:
        match token.key if token.is_match else "":
            case "ACTION":
                return token.holds(self.action)
            case "KERNEL":
                return token.holds(self.device.name)
            case "SUBSYSTEM":
                return token.holds(self.device.subsystem)
            case "DRIVER":
                return token.holds(self.device.driver)
            case "ENV":
                return token.holds(self.env.get(token.name))
            case "ATTR":
                return token.holds(self.device.attributes.get(token.name))
            case "TEST":
                return (token.value in self.device.attributes) == (token.operator == "==")
            case _:
                return True

    def _assign(self, token: Token, value: str) -> None:
        match token.key, token.operator:
            case "ENV", "=":
                self.env.pop(token.name, None)
                if value:
                    self.env[token.name] = value
            case "ATTR", "=":
                self.device.attributes[token.name] = value
            case "SYMLINK", "+=":
                self.links.append(value)
            case _:
                raise ValueError(f"no such assignment: {token}")

    def _expand(self, text: str, parent: Node) -> str:
        text = re.sub(r"\$env\{([^}]+)\}", lambda name: self.env.get(name[1], ""), text)
        attributes = parent.attributes | self.device.attributes
        text = re.sub(r"\$attr\{([^}]+)\}", lambda name: attributes.get(name[1], ""), text)
        return text.replace("$id", parent.name)
