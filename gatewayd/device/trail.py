"""Where in the file system a path can start or cease to lead somewhere."""

from __future__ import annotations

import os
import stat

MOST_LINKS = 40
"""The kernel gives up after as many symlinks in one path (path_resolution(7))."""


def trail(path: str, below: str | None = None) -> dict[str, frozenset[str]]:
    """The directories that the resolution of `path` passes, each with the names that matter in it.

    A name matters where it is a symlink, is missing, or is the end of the path; a directory with no
    such name matters only in that it can go away as a whole. The last is the nearest directory that
    exists. With `below`, `path` is a directory and `below` stands for the names looked for in it.
    """
    places: dict[str, set[str]] = {}
    rest = _components(os.path.join(os.getcwd(), path))
    directory = "/"
    links = 0
    while rest:
        name = rest.pop()
        if name == "..":
            directory = os.path.dirname(directory)
            continue
        names = places.setdefault(directory, set())
        entry = os.path.join(directory, name)
        try:
            kind = stat.S_IFMT(os.lstat(entry).st_mode)
            target = os.readlink(entry) if kind == stat.S_IFLNK else ""
        except OSError:
            kind, target = 0, ""
        if kind == stat.S_IFDIR and (rest or below is not None):
            directory = entry
            continue
        names.add(name)
        links += 1
        if not target or links > MOST_LINKS:
            break
        if target.startswith("/"):
            directory = "/"
        rest.extend(_components(target))
    else:
        if below is not None:
            places.setdefault(directory, set()).add(below)
    return {place: frozenset(names) for place, names in places.items()}


def _components(path: str) -> list[str]:
    """The components, first one last."""
    return [name for name in reversed(path.split("/")) if name not in ("", ".")]
