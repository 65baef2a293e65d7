"""Modules that others import for what they may never do, made when one of their names is asked for.

asyncio wants `inspect`, and that the whole compiler, to word the message about a callback that
failed: a megabyte, of which a daemon in which nothing fails has no use. Whoever imports such a
module gets it, empty at first, and finds in it whatever he asks for. The library's own way to this,
`importlib.util.LazyLoader`, fills a module when it is imported a second time.
"""

from __future__ import annotations

import contextlib
import os
import sys
from _thread import RLock
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # At run time this would be the largest module of all.
    from importlib.abc import Loader

_spare: list[int] = []
"""A descriptor to read a module by when there is none left: then it is that things fail."""


def make_later(*names: str) -> None:
    """Have the modules `names` of the library made when a name of theirs is asked for, unless they
    are there already. Whatever this interpreter does not have is left as it is."""
    _save_one()
    sys.meta_path.insert(0, _Finder(names))


def _save_one() -> None:
    if not _spare:
        with contextlib.suppress(OSError):
            _spare.append(os.open(os.devnull, os.O_RDONLY))


class _Finder:
    """Finds some modules, as the interpreter does, and has them made later."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(names)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        if name not in self._names:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader_state = _Making(spec.loader)
            spec.loader = spec.loader_state
        return spec


class _Making:
    """How one module is made."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._begun = False
        self.lock = RLock()

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """See `importlib.abc.Loader`."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """See `importlib.abc.Loader`."""
        assert module.__spec__ is not None
        module.__loader__ = module.__spec__.loader = self._loader
        module.__class__ = Later

    def make(self, module: ModuleType) -> None:
        """Fill it, unless that goes on already. Raises what the module does; then it is empty, and
        tried again when the next one asks."""
        if self._begun:
            return
        self._begun = True
        before = dict(module.__dict__)
        while _spare:
            os.close(_spare.pop())
        try:
            self._loader.exec_module(module)
        except BaseException:
            self._begun = False
            module.__dict__.clear()
            module.__dict__.update(before)
            raise
        finally:
            _save_one()
        module.__class__ = ModuleType


class Later(ModuleType):
    """A module that is not made yet."""

    def __getattr__(self, name: str) -> Any:
        assert self.__spec__ is not None
        making: _Making = self.__spec__.loader_state
        with making.lock:
            making.make(self)
        return ModuleType.__getattribute__(self, name)
