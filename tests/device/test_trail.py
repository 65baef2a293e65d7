"""A path is watched exactly where it can start or cease to lead somewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewayd.device.trail import MOST_LINKS, trail


def named(path: Path | str, below: str | None = None) -> dict[str, set[str]]:
    """The places where names matter."""
    return {place: set(names) for place, names in trail(str(path), below).items() if names}


def test_a_node_is_watched_for_in_its_directory(tmp_path: Path) -> None:
    (tmp_path / "node").touch()
    assert named(tmp_path / "node") == {str(tmp_path): {"node"}}


def test_what_is_missing_is_watched_for_in_the_nearest_directory(tmp_path: Path) -> None:
    assert named(tmp_path / "serial/by-id/x") == {str(tmp_path): {"serial"}}
    (tmp_path / "serial").mkdir()
    assert named(tmp_path / "serial/by-id/x") == {str(tmp_path / "serial"): {"by-id"}}


def test_the_directories_on_the_way_count_as_a_whole(tmp_path: Path) -> None:
    places = trail(str(tmp_path / "node"))
    assert places[str(tmp_path.parent)] == frozenset()
    assert places["/"] == frozenset()


def test_a_link_and_what_it_leads_to_both_matter(tmp_path: Path) -> None:
    (tmp_path / "by-id").mkdir()
    (tmp_path / "by-id/x").symlink_to("../ttyUSB0")
    assert named(tmp_path / "by-id/x") == {
        str(tmp_path / "by-id"): {"x"},
        str(tmp_path): {"ttyUSB0"},
    }


def test_a_directory_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "alias").symlink_to(tmp_path / "real")
    assert named(tmp_path / "alias/node") == {
        str(tmp_path): {"alias"},
        str(tmp_path / "real"): {"node"},
    }


def test_a_ring_of_links_ends(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert named(tmp_path / "a") == {str(tmp_path): {"a", "b"}}
    assert MOST_LINKS == 40


def test_a_file_where_a_directory_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert named(tmp_path / "file/node") == {str(tmp_path): {"file"}}


def test_a_relative_path_starts_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert named("./x/../node") == {str(tmp_path): {"x"}}
    assert named("node") == {str(tmp_path): {"node"}}


def test_below_a_directory_that_exists_and_one_that_does_not(tmp_path: Path) -> None:
    assert named(tmp_path, below="*") == {str(tmp_path): {"*"}}
    assert named(tmp_path / "dev", below="*") == {str(tmp_path): {"dev"}}
    (tmp_path / "link").symlink_to(tmp_path)
    assert named(tmp_path / "link", below="*") == {str(tmp_path): {"link", "*"}}


def test_below_the_root() -> None:
    assert named("/", below="*") == {"/": {"*"}}
