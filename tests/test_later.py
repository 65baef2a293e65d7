"""Modules that are made when something is asked of them."""

from __future__ import annotations

import importlib
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Thread
from types import ModuleType

import pytest

from gatewayd.later import make_later

TEXT = """
from lateone import helper
with open(__file__ + ".made", "a") as file:
    file.write("x")
def answer(): return helper.number()
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package `lateone` with modules `work`, to be made later, and `helper`."""
    directory = tmp_path / "lateone"
    directory.mkdir()
    (directory / "__init__.py").write_text("")
    (directory / "work.py").write_text(TEXT)
    (directory / "helper.py").write_text("def number(): return 42\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    make_later("lateone.work", "lateone.nowhere")
    yield directory
    for name in [name for name in sys.modules if name.partition(".")[0] == "lateone"]:
        del sys.modules[name]


def work() -> ModuleType:
    return importlib.import_module("lateone.work")


def made(package: Path) -> int:
    """How often the module was made."""
    path = package / "work.py.made"
    return len(path.read_text()) if path.exists() else 0


def test_a_module_is_made_when_a_name_is_asked_for_and_only_once(package: Path) -> None:
    assert work() is work()
    assert made(package) == 0
    assert "lateone.helper" not in sys.modules
    assert work().answer() == 42
    assert work().answer() == 42
    assert made(package) == 1
    assert type(work()) is ModuleType
    assert work().__spec__ is not None


def test_names_that_are_imported_are_found(package: Path) -> None:
    names: dict[str, object] = {}
    exec("from lateone.work import answer, helper\nfrom lateone.work import *", names)
    assert {"answer", "helper"} <= names.keys()
    assert made(package) == 1


def test_a_name_that_is_not_there_is_missed_as_ever(package: Path) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = work().nothing
    with pytest.raises(ImportError):
        importlib.import_module("lateone.nowhere")


def test_one_that_cannot_be_made_is_made_when_it_can(package: Path) -> None:
    module = work()
    helper = package / "helper.py"
    helper.rename(package / "gone")
    with pytest.raises(ImportError):
        _ = module.answer
    with pytest.raises(ImportError):
        _ = module.answer
    (package / "gone").rename(helper)
    importlib.invalidate_caches()
    assert module.answer() == 42


def test_it_is_made_for_all_threads_that_ask_at_once(package: Path) -> None:
    module, together, found = work(), Barrier(4), []

    def ask() -> None:
        together.wait(10)
        found.append(module.answer())

    threads = [Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert found == [42] * 4
    assert made(package) == 1


def test_it_is_made_when_there_is_no_descriptor_left(package: Path) -> None:
    module = work()
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    probe = os.dup(0)
    os.close(probe)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (probe, before[1]))
        with pytest.raises(OSError, match="Too many open files"):
            os.dup(0)
        answer = module.answer
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert answer() == 42
