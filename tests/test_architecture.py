"""The structure of the program: imports point one way, what is pure stays pure, and tests stand on
rigs, not on each other."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Final

import pytest

from gatewayd.config.keys import CONFIG_SETTINGS, PORT_SETTINGS
from tests.service import keys

ROOT: Final = Path(__file__).parent.parent / "gatewayd"

PACKAGES: Final = {
    "errors": set[str](),
    "log": set[str](),
    "later": set[str](),
    "typed": set[str](),
    "value": set[str](),
    "apart": set[str](),
    "regular": set[str](),
    "credentials": {"errors"},
    "telnet": set[str](),
    "line": {"errors"},
    "comport": {"line.model", "line.pending"},
    "device": {"errors", "log"},
    "config": {"errors", "apart", "regular", "credentials", "line.model", "device.match"},
    "port": {"log", "telnet", "line.api", "line.model", "line.pending", "comport", "config.schema"},
    "net": {"errors", "log", "telnet", "line.api", "config.schema", "port"},
    "tls": {
        *("errors", "log", "credentials", "telnet", "line.api", "config.schema", "net"),
        *("regular", "port.proof"),
    },
    "desk": {"telnet", "line.api", "line.model", "port", "net"},
    "kerberos": {"errors", "apart", "regular"},
    "login": {
        *("errors", "log", "regular", "telnet", "line.api", "config.door_kinds"),
        *("net.arrival", "net.admission", "kerberos.tickets"),
    },
    "control": {"errors", "log"},
    "record": {"log", "line.model", "device.inotify", "config.schema", "config.sizes", "port"},
    "advertise": {"log", "device.scan", "config.schema"},
    "metrics": {"log", "config.schema", "net.address", "net.admission"},
    "service": {
        *("errors", "log", "line", "device", "config", "port", "net", "control", "record"),
        *("advertise", "metrics", "tls", "desk", "login", "kerberos.tickets", "credentials"),
    },
    "demo": set[str](),
    "ser2net": {"errors", "line.model", "device.match", "config"},
    "export": {"errors", "line.model", "device", "config.schema", "advertise.services"},
    "fleet": {"errors", "config.values", "advertise.services", "advertise.bus"},
    "web": {
        *("errors", "log", "regular", "telnet", "line.model", "comport.wire", "net.tcp"),
        "control",
        *("fleet.machines", "fleet.following"),
    },
    "doctor": {
        "errors",
        "credentials",
        "device",
        "tls.identity",
        "config.schema",
        "kerberos.tickets",
    },
    "cli": {
        "errors",
        "regular",
        "later",
        "credentials",
        "log",
        "telnet",
        "tls",
        "line.model",
        "device",
        "config",
        "control",
        "service",
        "demo",
        "ser2net",
        "export",
        "fleet",
        "doctor",
        *("login.users", "login.dialogue", "kerberos.tickets"),
        *("metrics.families", "metrics.text", "record.live", "record.reading"),
        *("web", "tls.identity"),
    },
    "labgrid": {"errors", "control"},
    "__main__": {"cli"},
}
"""From the bottom up: each package, and what of the packages above it in this table it may use."""

FOR_ALL: Final = {"typed", "value"}
"""What each may use, as a part of the language."""

LIBRARIES: Final = {
    "serial": {"line.serial_port"},
    "serial_asyncio": {"line.transport"},
    "yaml": {"config.load", "ser2net.version4"},
    "systemd": {"service.systemd"},
    "h11": {"web.http"},
    "wsproto": {"web.websocket"},
    "jeepney": {"advertise.bus", "advertise.avahi", "fleet.browse", "fleet.following"},
    "ssl": {
        "tls.maker",
        "tls.identity",
        "tls.channel",
        "tls.securing",
        "tls.words",
        "web.server",
        "cli.web",
    },
    "grpc": {"labgrid.agent"},
    "labgrid": {"labgrid.agent"},
    "ctypes": {"device.inotify", "line.modem", "kerberos.library", "kerberos.verify"},
}
"""What is not Python's own, or is not Python, and the modules that may import it."""

PURE: Final = (
    *("telnet", "comport", "port"),
    *("line.model", "line.api", "line.pending"),
    *(
        "config.schema",
        "config.keys",
        "config.model",
        "config.settings",
        "config.setting",
        "config.kinds",
    ),
    *(
        "config.values",
        "config.sharing",
        "config.problem",
        "config.tree",
        "config.document",
        "config.diff",
    ),
    *("record.side", "record.stamps", "record.text", "record.pcapng"),
    *("record.telling", "record.ring", "record.live", "export", "advertise.services", "desk"),
    *("metrics.text", "metrics.families", "metrics.http"),
    "login.dialogue",
)
"""No I/O and no time of their own: bytes and clocks are given to them."""
IMPURE: Final = {
    *("asyncio", "os", "select", "selectors", "socket", "subprocess", "threading", "time"),
}

LONGEST: Final = 400
"""Lines of a module that can be read in one sitting."""
MOST: Final = 39
"""Methods of a class that can be kept in mind, properties counted too."""


@dataclass(frozen=True)
class Module:
    """A module of the program; `name` is without the leading `gatewayd.`."""

    name: str
    path: Path
    imports: frozenset[str]
    """Full names."""

    @property
    def package(self) -> str:
        return self.name.split(".")[0]

    @property
    def ours(self) -> set[str]:
        """What of the program it imports, named as `name` is."""
        return {
            one.removeprefix("gatewayd.") for one in self.imports if one.startswith("gatewayd.")
        }


def within(name: str, of: str) -> bool:
    """Whether the module `name` is `of`, or in it."""
    return name == of or name.startswith(f"{of}.")


def imported(tree: ast.Module, known: set[str]) -> Iterator[str]:
    """Full names of the modules that are imported, by statement or by `import_module`."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                for alias in names:
                    inner = f"{module}.{alias.name}"
                    yield inner if inner in known else module
            case ast.ImportFrom():
                raise AssertionError("a relative import")
            case ast.Call(
                func=ast.Attribute(attr="import_module"), args=[ast.Constant(value=str(m))]
            ):
                yield m
            case _:
                pass


def all_modules() -> list[Module]:
    paths = {
        ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(
            ".__init__"
        ): path
        for path in ROOT.rglob("*.py")
    }
    return [
        Module(
            name.removeprefix("gatewayd."),
            path,
            frozenset(imported(ast.parse(path.read_bytes()), set(paths))),
        )
        for name, path in sorted(paths.items())
        if name != "gatewayd"
    ]


MODULES: Final = all_modules()
each_module = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)


def test_every_package_is_in_the_table() -> None:
    assert {module.package for module in MODULES} == set(PACKAGES)


def test_the_table_points_one_way() -> None:
    below: set[str] = set()
    for package, uses in PACKAGES.items():
        assert {used.split(".")[0] for used in uses} <= below
        below.add(package)


@each_module
def test_a_module_uses_only_what_its_package_may(module: Module) -> None:
    allowed = {module.package, *PACKAGES[module.package], *FOR_ALL}
    assert {one for one in module.ours if not any(within(one, it) for it in allowed)} == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_the_table_allows_no_more_than_is_used(package: str) -> None:
    used = {one for module in MODULES if module.package == package for one in module.ours}
    unused = {it for it in PACKAGES[package] if not any(within(one, it) for one in used)}
    assert unused == set()


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    graph = {module.name: module.ours for module in MODULES}
    assert list(TopologicalSorter(graph).static_order())


@each_module
def test_libraries_are_imported_where_the_table_says(module: Module) -> None:
    roots = {one.split(".")[0] for one in module.imports} - {"gatewayd"}
    foreign = {one for one in roots if one in LIBRARIES or one not in sys.stdlib_module_names}
    assert {one for one in foreign if module.name not in LIBRARIES.get(one, ())} == set()


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_table_of_libraries_is_true(library: str) -> None:
    users = {m.name for m in MODULES if any(within(one, library) for one in m.imports)}
    assert users == LIBRARIES[library]


@pytest.mark.parametrize("place", PURE)
def test_what_is_pure_stays_pure(place: str) -> None:
    modules = [module for module in MODULES if within(module.name, place)]
    assert modules
    for module in modules:
        assert {one.split(".")[0] for one in module.imports} & IMPURE == set(), module.name


@each_module
def test_a_module_can_be_read_in_one_sitting(module: Module) -> None:
    assert len(module.path.read_text().splitlines()) <= LONGEST


def methods(kind: ast.ClassDef) -> set[str]:
    """Names of what a class can do; a property with its setter is one."""
    return {
        node.name for node in kind.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


@each_module
def test_no_class_does_everything(module: Module) -> None:
    tree = ast.parse(module.path.read_bytes())
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    assert [kind.name for kind in classes if len(methods(kind)) > MOST] == []


def test_the_map_names_every_package_and_only_files_that_are_there() -> None:
    text = (ROOT.parent / "docs/design.md").read_text()
    assert [name for name in PACKAGES if f"`{name}`" not in text and name != "__main__"] == []
    files = re.findall(r"`([\w/]+\.py)`", text)
    assert [
        one for one in files if not any((at / one).exists() for at in (ROOT, ROOT.parent))
    ] == []


# ---- the tests


TESTS: Final = Path(__file__).parent


def is_rig(path: Path) -> bool:
    """Whether a module below `tests` is there to be used by others."""
    return not path.name.startswith(("test_", "conftest.", "__init__."))


def test_no_test_is_used_by_another() -> None:
    users = [
        f"{path.relative_to(TESTS)} imports {name}"
        for path in TESTS.rglob("*.py")
        for name in imported(ast.parse(path.read_bytes()), set())
        if within(name, "tests") and not is_rig(Path(f"{name.split('.')[-1]}.py"))
    ]
    assert users == []


def test_no_test_waits_by_the_clock_for_what_happens() -> None:
    """What comes is waited for by `tests.until`; where time is the matter, by `tests.spell`."""
    waits = re.compile(r"(?<!def )(?<![\w.])(?:time\.|asyncio\.)?sleep\((?!\)|0\))")
    found = {path for path in TESTS.rglob("*.py") if waits.search(path.read_text())}
    ours = ("until.py", "spell.py", "test_limit.py", "service/test_loop.py")
    assert found == {TESTS / name for name in ours}


def test_every_rig_is_in_the_index() -> None:
    index = (TESTS / "README.md").read_text().partition("## All of them")[2]
    listed = re.findall(r"^\| `([\w/]+\.py)` \|", index, re.MULTILINE)
    rigs = [path for path in TESTS.rglob("*.py") if is_rig(path) and "examples" not in path.parts]
    assert sorted(listed) == sorted(str(path.relative_to(TESTS)) for path in rigs)


def test_every_key_of_the_file_is_tried_at_a_reload_and_a_restart() -> None:
    """Who adds a key says in tests/service/keys.py how one sees that it is in force."""
    assert {setting.key for setting in PORT_SETTINGS} == {row.key for row in keys.PORT}
    assert {setting.key for setting in CONFIG_SETTINGS} == {row.key for row in keys.GATEWAY}
