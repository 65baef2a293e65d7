"""Imports point one way, and the protocol does no I/O: this table is the map of the package."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "gatewayd"

LAYERS: dict[str, set[str]] = {
    "errors": set(),
    "log": set(),
    "telnet": set(),
    "line": {"errors"},
    "comport": {"line"},
    "device": {"errors", "log"},
    "config": {"device", "errors", "line"},
    "control": {"errors", "log"},
    "port": {"comport", "config", "line", "log", "telnet"},
    "net": {"config", "errors", "log", "port"},
    "service": {"config", "control", "device", "errors", "line", "log", "net", "port"},
    "ser2net": {"config", "device", "errors", "line"},
    "doctor": {"config", "device", "errors"},
    "demo": set(),
    "cli": {
        "config", "control", "demo", "device", "doctor", "errors", "line", "log", "ser2net",
        "service",
    },
    "__main__": {"cli"},
}  # fmt: skip
"""What each package may import of the others; the version, in `gatewayd`, is for all."""

PURE = [
    "telnet",
    "comport",
    "port",
    "line/model.py",
    "line/api.py",
    "line/sim.py",
    "config/diff.py",
]
"""No I/O and no clock of their own."""
IO_MODULES = {"asyncio", "socket", "select", "selectors", "time", "threading", "subprocess", "os"}

HOMES = {
    "yaml": {"config/tree.py", "config/load.py", "ser2net"},
    "serial": {"line/serial_port.py"},
    "serial_asyncio": {"line/transport.py"},
    "systemd": {"service/systemd.py", "service/handlers.py"},
    "ctypes": {"device/inotify.py", "line/modem.py"},
}
"""The only places that know of a library."""


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in {path}"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(path: Path, places: set[str] | list[str]) -> bool:
    name = path.relative_to(ROOT).as_posix()
    return any(name == place or name.startswith(f"{place}/") for place in places)


def test_the_table_names_every_package_and_has_no_circle() -> None:
    parts = {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in modules()}
    assert parts - {"__init__"} == set(LAYERS)
    done: set[str] = set()
    while len(done) < len(LAYERS):
        free = {name for name, needs in LAYERS.items() if name not in done and needs <= done}
        assert free, "a circle among the rest"
        done |= free


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_point_inward(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0].removesuffix(".py")
    if package == "__init__":
        return
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "gatewayd" and parts[1] not in (package, "__version__"):
            assert parts[1] in LAYERS[package], f"{path} imports {name}"


@pytest.mark.parametrize("place", PURE)
def test_the_protocol_does_no_io(place: str) -> None:
    found = [path for path in modules() if within(path, [place])]
    assert found
    for path in found:
        used = {name.split(".")[0] for name in imports(path)}
        assert not used & IO_MODULES, path


@pytest.mark.parametrize("library", HOMES)
def test_a_library_is_known_in_one_place(library: str) -> None:
    users = {path for path in modules() if any(n.split(".")[0] == library for n in imports(path))}
    for path in users:
        assert within(path, HOMES[library]), f"{path} imports {library}"
