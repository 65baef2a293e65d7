"""`NamedTuple` and `Protocol`: those of `typing` to mypy, and little at run time.

`typing` compiles each annotation of a named tuple that is written as text, as all are here. The
compiler then makes a class for each kind of node that a program can have, a quarter of a megabyte.
A protocol of `typing` can be asked whether something fits it, for which nobody asks here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import NamedTuple, Protocol
else:
    from collections import namedtuple

    class _Rows(type):
        """Makes a named tuple of the annotated names in a class body."""

        def __new__(mcs, name, bases, body):
            if not bases:
                return super().__new__(mcs, name, bases, body)
            fields = tuple(body.get("__annotations__", ()))
            defaults = [body[one] for one in fields if one in body]
            made = namedtuple(name, fields, defaults=defaults, module=body["__module__"])
            for key, value in body.items():
                if key not in fields and key not in ("__module__", "__annotations__"):
                    setattr(made, key, value)
            return made

    class NamedTuple(metaclass=_Rows):
        """See `typing.NamedTuple`."""

    class Protocol:
        """See `typing.Protocol`."""


__all__ = ["NamedTuple", "Protocol"]
