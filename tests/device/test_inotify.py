"""The binding of inotify tells what the kernel tells."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewayd.device.inotify import (
    IN_CREATE,
    IN_DELETE,
    IN_DELETE_SELF,
    IN_IGNORED,
    IN_MOVED_TO,
    Event,
    Inotify,
)


@pytest.fixture
def queue() -> Iterator[Inotify]:
    inotify = Inotify()
    yield inotify
    inotify.close()


def test_events_come_with_the_name_and_in_order(queue: Inotify, tmp_path: Path) -> None:
    wd = queue.add(str(tmp_path), IN_CREATE | IN_DELETE | IN_MOVED_TO)
    assert queue.read() == []
    (tmp_path / "ttyUSB0").touch()
    (tmp_path / "ttyUSB0").rename(tmp_path / "ttyUSB1")
    (tmp_path / "ttyUSB1").unlink()
    assert queue.read() == [
        Event(wd, IN_CREATE, "ttyUSB0"),
        Event(wd, IN_MOVED_TO, "ttyUSB1"),
        Event(wd, IN_DELETE, "ttyUSB1"),
    ]
    assert queue.read() == []


def test_names_that_are_not_utf_8_pass(queue: Inotify, tmp_path: Path) -> None:
    queue.add(str(tmp_path), IN_CREATE)
    name = os.fsdecode(b"\xff\xfe")
    (tmp_path / name).touch()
    assert [event.name for event in queue.read()] == [name]


def test_a_directory_that_goes_away_ends_its_watch(queue: Inotify, tmp_path: Path) -> None:
    directory = tmp_path / "dev"
    directory.mkdir()
    wd = queue.add(str(directory), IN_DELETE_SELF)
    directory.rmdir()
    assert queue.read() == [Event(wd, IN_DELETE_SELF, ""), Event(wd, IN_IGNORED, "")]
    queue.remove(wd)


def test_a_removed_watch_is_silent(queue: Inotify, tmp_path: Path) -> None:
    wd = queue.add(str(tmp_path), IN_CREATE)
    queue.remove(wd)
    (tmp_path / "x").touch()
    assert queue.read() == [Event(wd, IN_IGNORED, "")]


def test_a_missing_directory_is_an_error_with_its_name(queue: Inotify, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="missing"):
        queue.add(str(tmp_path / "missing"), IN_CREATE)


def test_no_descriptor_left_is_an_error() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        with pytest.raises(OSError, match="inotify_init1"):
            Inotify()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
