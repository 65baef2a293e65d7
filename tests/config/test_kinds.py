"""The general kinds of value."""

from __future__ import annotations

from typing import Any

import pytest

from gatewayd.config.kinds import Group, OneOf, OneOrList, Switch, Text, Whole
from gatewayd.config.problem import ConfigError, Place
from gatewayd.config.setting import Kind, Setting
from gatewayd.config.tree import Mapping, Node, Scalar, Sequence

HERE = Place("test", 3, 4)


def plain(text: str) -> Scalar:
    return Scalar(HERE, text)


def in_quotes(text: str) -> Scalar:
    return Scalar(HERE, text, plain=False)


def refusal(kind: Kind[Any], node: Node) -> str:
    with pytest.raises(ConfigError) as caught:
        kind.read(node, "key")
    text = str(caught.value)
    assert text.startswith("test:3:4: key: ")
    return text.removeprefix("test:3:4: key: ")


@pytest.mark.parametrize(
    "text", ["yes", "no", "on", "off", "True", "FALSE", "y", "1", "0", "y\nes", "\x00"]
)
def test_a_switch_is_true_or_false_only(text: str) -> None:
    assert refusal(Switch(), plain(text)) == f"found {text!r}; write true or false"


def test_a_switch() -> None:
    assert Switch().read(plain("true"), "key") is True
    assert Switch().read(plain("false"), "key") is False
    assert "without them" in refusal(Switch(), in_quotes("true"))


def test_a_number_has_no_second_meaning() -> None:
    kind = Whole(0, 9999)
    assert kind.read(plain("644"), "key") == 644
    assert kind.read(plain("0"), "key") == 0
    assert "begins with 0" in refusal(kind, plain("0644"))
    assert "out of range" in refusal(kind, plain("10000"))
    assert "without them" in refusal(kind, in_quotes("644"))
    for text in ("12:30", "0x10", "1_000", "1e3", "1.0", "+1", "-1", "\u0663", "9" * 5000):
        assert "write a whole number from 0 to 9999" in refusal(kind, plain(text))


def test_a_choice() -> None:
    kind = OneOf({"none": 0, "odd": 1}, {"N": 0})
    assert kind.read(plain("odd"), "key") == 1
    assert kind.read(in_quotes("N"), "key") == 0
    assert refusal(kind, plain("nnoe")) == "found 'nnoe'; did you mean 'none'?"
    assert refusal(kind, plain("no")) == "found 'no'; write none or odd"


def test_text_is_one_printable_line() -> None:
    assert Text().read(plain("null and 0644, no"), "key") == "null and 0644, no"
    assert "control characters" in refusal(Text(), in_quotes("a\x1b[2Jb"))
    assert "control characters" in refusal(Text(), in_quotes("a\nb"))
    assert "200 at most" in refusal(Text(), plain("x" * 201))


@pytest.mark.parametrize("node", [plain(""), plain("~"), plain("null")])
def test_no_value_is_no_text(node: Scalar) -> None:
    assert refusal(Text(), node) == "found no value; write TEXT"
    assert Text().read(in_quotes(node.text), "key") == node.text


def test_the_wrong_kind_of_node() -> None:
    assert refusal(Switch(), Sequence(HERE, ())) == "found a list; write true | false"
    assert refusal(Switch(), Mapping(HERE, ())) == "found a mapping; write true | false"


def test_one_or_a_list() -> None:
    kind = OneOrList(Whole(1, 9))
    assert kind.read(plain("1"), "key") == (1,)
    assert kind.read(Sequence(HERE, (plain("1"), plain("2"))), "key") == (1, 2)
    assert "empty list" in refusal(kind, Sequence(HERE, ()))
    with pytest.raises(ConfigError) as caught:
        kind.read(Sequence(HERE, (plain("a"), plain("1"), plain("b"))), "key")
    assert [problem.text[:14] for problem in caught.value.problems] == [
        "key: found 'a'",
        "key: found 'b'",
    ]


BAUD: Setting[int] = Setting("baud", Whole(1, 99), "Speed.", "9", "7")
NAME: Setting[str] = Setting("name", Text(), "Name.", "x")
GROUP = Group((BAUD, NAME), lambda values: (values[BAUD], values[NAME]))


def pairs(*entries: tuple[str, str]) -> Mapping:
    return Mapping(HERE, tuple((plain(key), plain(value)) for key, value in entries))


def test_a_mapping_with_a_default() -> None:
    assert GROUP.read(pairs(("name", "x")), "key") == (7, "x")
    assert GROUP.read(pairs(("name", "x"), ("baud", "9")), "key") == (9, "x")


def test_all_that_is_wrong_in_a_mapping_is_told() -> None:
    node = pairs(("baud", "x"), ("bad", "1"), ("baud", "2"), ("<<", "x"))
    with pytest.raises(ConfigError) as caught:
        GROUP.read(node, "key")
    texts = [problem.text for problem in caught.value.problems]
    assert len(texts) == 5
    assert "key.baud: found 'x'; write a whole number from 1 to 99" in texts
    assert "key: unknown key 'bad'; did you mean 'baud'?" in texts
    assert "key: duplicate key 'baud', first on line 3; leave one of them out" in texts
    assert "key: merge keys are not supported; write the settings out" in texts
    assert "key: name is missing; write name: x" in texts


def test_a_key_that_is_no_text() -> None:
    node = Mapping(HERE, ((Sequence(HERE, ()), plain("x")), (plain("name"), plain("x"))))
    assert refusal(GROUP, node) == "a key is a list; write a word"
