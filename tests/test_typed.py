"""Named tuples at run time, and that no daemon compiles the annotations of any."""

from __future__ import annotations

import pickle
import subprocess
import sys

from gatewayd.typed import NamedTuple

PROGRAM = """
import gc, typing
def compiled():
    return {one.__forward_arg__ for one in gc.get_objects() if type(one) is typing.ForwardRef}
before = compiled()  # by what this machine has its Python import
import gatewayd.service.daemon
print(*(compiled() - before))
"""


class Point(NamedTuple):
    """A place."""

    x: int
    y: int = 2

    @property
    def sum(self) -> int:
        """Of both."""
        return self.x + self.y


def test_a_named_tuple_is_one() -> None:
    point = Point(1)
    assert point == (1, 2)
    assert (point.x, point.y, point.sum) == (1, 2, 3)
    assert point._replace(y=5) == Point(x=1, y=5)
    assert repr(point) == "Point(x=1, y=2)"
    assert Point.__doc__ == "A place."
    assert (Point.__module__, Point.__qualname__) == (__name__, "Point")
    assert pickle.loads(pickle.dumps(point)) == point
    assert type(pickle.loads(pickle.dumps(point))) is Point


def test_no_annotation_is_compiled_in_a_daemon() -> None:
    """One is enough to have the compiler make its 200 classes."""
    argv = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == ""
