"""Values: classes whose instances say something and never change.

Written, judged by mypy and used as a frozen dataclass with slots, at a third of its memory: that
makes eight functions for each class, together 14 KB, and has `inspect` loaded. A daemon has forty
such classes, and they were a tenth of all that it had in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from types import FunctionType
from typing import Any, ClassVar, Final, NoReturn, Self, TypeVar, dataclass_transform

from gatewayd.typed import NamedTuple

_SCOPE: Final = {"put": object.__setattr__}


REQUIRED: Final = object()
"""The default of a field that has none."""


class Said(NamedTuple):
    """The default of a field, and what else is to be known of it."""

    default: Any
    about: Any


@dataclass_transform(frozen_default=True)
class ValueType(type):
    """The class of such a class: each annotated name in its body is a field, with its default,
    but for those that begin with an underscore."""

    def __new__(
        mcs,
        name: str,
        bases: tuple[type, ...],
        body: dict[str, Any],
        uncompared: tuple[str, ...] = (),
    ) -> ValueType:
        """`uncompared` are fields in which two may differ and be equal."""
        own = tuple(one for one in body.get("__annotations__", ()) if not one.startswith("_"))
        before = [base for base in bases if isinstance(base, mcs)]
        names = [*dict.fromkeys(one for base in before for one in base.__fields__), *own]
        defaults = {one: value for base in before for one, value in base.__field_defaults__.items()}
        said = {one: about for base in before for one, about in base.__said__.items()}
        for one in own:
            default = body.pop(one, REQUIRED)
            if isinstance(default, Said):
                default, said[one] = default
            if default is not REQUIRED:
                defaults[one] = default
        uncompared += tuple(one for base in before for one in base.__uncompared__)
        compared = [one for one in names if one not in uncompared]
        body.update(
            __slots__=own,
            __match_args__=tuple(names),
            __init__=_initializer(names, defaults, judged="__post_init__" in body),
            __fields__=tuple(names),
            __field_defaults__=defaults,
            __uncompared__=uncompared,
            __said__=said,
            _compared=attrgetter(*(compared or ["__class__"])),
        )
        return super().__new__(mcs, name, bases, body)

    __fields__: tuple[str, ...]
    __field_defaults__: dict[str, Any]
    __uncompared__: tuple[str, ...]
    __said__: dict[str, Any]


def _initializer(
    names: list[str], defaults: dict[str, Any], *, judged: bool
) -> Callable[..., None]:
    parameters = ["self", *(f"{one}=None" if one in defaults else one for one in names)]
    lines = [f"put(self, '{one}', {one})" for one in names] or ["pass"]
    if judged:
        lines.append("self.__post_init__()")
    made: dict[str, Any] = {}
    exec(f"def __init__({', '.join(parameters)}):\n    " + "\n    ".join(lines), _SCOPE, made)
    function: FunctionType = made["__init__"]
    function.__defaults__ = tuple(defaults[one] for one in names if one in defaults)
    return function


class Value(metaclass=ValueType):
    """What such a class stands on."""

    _compared: ClassVar[attrgetter[Any]]
    """Gives all that is compared."""

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} does not change, nor does its {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} does not change, nor does its {name}")

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return bool(self._compared(self) == self._compared(other))

    def __hash__(self) -> int:
        return hash(self._compared(self))

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value!r}" for name, value in as_dict(self).items())
        return f"{type(self).__qualname__}({said})"

    def __reduce__(self) -> tuple[type[Value], tuple[Any, ...]]:
        return type(self), tuple(as_dict(self).values())


V = TypeVar("V", bound=Value)


class Ordered(Value):
    """Values that stand in the order of their fields."""

    def __lt__(self, other: Self) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return bool(self._compared(self) < self._compared(other))


def names(kind: type[Value]) -> tuple[str, ...]:
    """The fields of a class, in their order."""
    return kind.__fields__


def defaults(kind: type[Value]) -> dict[str, Any]:
    """The defaults of those fields that have one."""
    return kind.__field_defaults__


def said(kind: type[Value]) -> dict[str, Any]:
    """What is to be known of its fields, those of which there is something."""
    return kind.__said__


def as_dict(value: Value) -> dict[str, Any]:
    """The fields of a value."""
    return {name: getattr(value, name) for name in type(value).__fields__}


def replace(value: V, **changes: Any) -> V:
    """The same value, apart from some fields. Raises TypeError for what is no field."""
    return type(value)(**{**as_dict(value), **changes})
