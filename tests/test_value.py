"""Values."""

from __future__ import annotations

import pickle
from copy import copy
from typing import Any, Generic, TypeVar

import pytest

from gatewayd.value import Ordered, Value, ValueType, as_dict, defaults, names, replace

T = TypeVar("T")


class Spot(Ordered, uncompared=("where",)):
    """A place, and where that was read."""

    host: str
    port: int = 7001
    where: str = ""

    @property
    def told(self) -> str:
        """Both in one."""
        return f"{self.host}:{self.port}"


class Wide(Spot):
    """One with more to it."""

    width: int = 1


class Even(Value):
    """A number that is even."""

    number: int

    def __post_init__(self) -> None:
        if self.number % 2:
            raise ValueError("odd")


class Nothing(Value):
    """That says nothing but itself."""


class Box(Value, Generic[T]):
    """One of something."""

    content: T


ONE = Spot("a", 1, "here")


def test_fields_are_given_by_place_by_name_or_by_default() -> None:
    assert as_dict(Spot("a", where="here")) == {"host": "a", "port": 7001, "where": "here"}
    assert as_dict(Wide("a", 1, "here", 2)) == {**as_dict(ONE), "width": 2}
    assert (ONE.told, Box(3).content) == ("a:1", 3)
    assert names(Wide) == ("host", "port", "where", "width")
    assert defaults(Wide) == {"port": 7001, "where": "", "width": 1}


@pytest.mark.parametrize(
    ("given", "more"), [((), {}), (("a", 1, "here", 1), {}), (("a",), {"color": 1})]
)
def test_other_fields_are_refused(given: tuple[Any, ...], more: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        Spot(*given, **more)


def test_a_field_without_a_default_does_not_come_after_one_with_it() -> None:
    with pytest.raises(SyntaxError):
        ValueType("Late", (Value,), {"__annotations__": {"a": "int", "b": "int"}, "a": 1})


def test_they_are_equal_by_what_is_compared_and_by_their_class() -> None:
    assert Spot("a", 1, "there") == ONE
    assert hash(ONE) == hash(Spot("a", 1, "there"))
    assert Wide("a", 1, "here") == Wide("a", 1, "there")
    assert len({ONE, Spot("a", 1), Spot("a", 2), Wide("a", 1), Nothing(), Nothing()}) == 4
    assert ONE != ("a", 1, "here")
    assert Box(1) != Box(2)


def test_some_have_an_order() -> None:
    assert sorted([Spot("b", 1), Spot("a", 2), ONE]) == [ONE, Spot("a", 2), Spot("b", 1)]
    with pytest.raises(TypeError):
        sorted([ONE, Nothing()])  # type: ignore[type-var]


def test_they_do_not_change() -> None:
    with pytest.raises(AttributeError, match="Spot does not change, nor does its port"):
        ONE.port = 2  # type: ignore[misc]
    with pytest.raises(AttributeError, match="nor does its port"):
        del ONE.port
    with pytest.raises(AttributeError):
        object.__setattr__(ONE, "color", 1)
    assert replace(ONE, port=2) == Spot("a", 2)
    assert replace(ONE, port=2).where == "here"
    with pytest.raises(TypeError):
        replace(ONE, color=1)


@pytest.mark.parametrize("value", [ONE, Wide("a"), Nothing(), Box((1, 2))])
def test_they_can_be_sent_and_shown(value: Value) -> None:
    assert pickle.loads(pickle.dumps(value)) == value == copy(value)
    assert repr(pickle.loads(pickle.dumps(value))) == repr(value)
    assert eval(repr(value)) == value


def test_one_can_be_refused() -> None:
    assert Even(2).number == 2
    with pytest.raises(ValueError, match="odd"):
        replace(Even(2), number=3)


def test_they_can_be_matched() -> None:
    match ONE:
        case Spot(host, port):
            assert (host, port) == ("a", 1)
        case _:
            pytest.fail("not matched")
