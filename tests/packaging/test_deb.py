"""The Debian package: what is in it, and what Debian's own judge says of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from gatewayd import __version__
from tests.same import same

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="there is no dpkg-deb")

EXPECTED = {
    "etc/gatewayd/gatewayd.yaml": "etc/gatewayd.yaml",
    "usr/bin/gatewayd": "packaging/gatewayd",
    "usr/lib/systemd/system/gatewayd.service": "systemd/gatewayd.service",
    "usr/lib/systemd/system/gatewayd-web.service": "systemd/gatewayd-web.service",
    "usr/lib/systemd/system/gatewayd-web.socket": "systemd/gatewayd-web.socket",
    "usr/lib/sysusers.d/gatewayd.conf": "systemd/gatewayd.sysusers",
    "usr/lib/tmpfiles.d/gatewayd.conf": "systemd/gatewayd.tmpfiles",
    "usr/share/doc/gatewayd/examples/gatewayd-web-typing.conf": "systemd/gatewayd-web-typing.conf",
    "usr/lib/udev/rules.d/61-gatewayd.rules": "udev/61-gatewayd.rules",
    "usr/share/gatewayd/gatewayd.schema.json": "etc/gatewayd.schema.json",
    "usr/share/gatewayd/grafana/gatewayd.json": "etc/grafana/gatewayd.json",
    "usr/share/gatewayd/prometheus/gatewayd.rules.yaml": "etc/prometheus/gatewayd.rules.yaml",
}
MADE = {
    "usr/share/bash-completion/completions/gatewayd",
    "usr/share/doc/gatewayd/changelog.gz",
    "usr/share/doc/gatewayd/copyright",
    "usr/share/man/man5/gatewayd.yaml.5.gz",
    "usr/share/man/man8/gatewayd-web.8.gz",
    "usr/share/man/man8/gatewayd.8.gz",
    "usr/share/zsh/vendor-completions/_gatewayd",
}
DEPENDS = {"python3", "python3-serial", "python3-serial-asyncio", "python3-systemd", "python3-yaml"}


def output(*command: str | Path, **environment: str) -> str:
    env = {**os.environ, **environment}
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, env=env)
    return done.stdout


def build(directory: Path, **environment: str) -> Path:
    command = (ROOT / "packaging" / "build-deb", __version__, directory)
    return Path(output(*command, **environment).strip())


@pytest.fixture(scope="module")
def deb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, freshly built."""
    return build(tmp_path_factory.mktemp("deb"))


@pytest.fixture(scope="module")
def unpacked(deb: Path) -> Path:
    """Its files, and its control files in DEBIAN."""
    directory = deb.parent / "unpacked"
    output("dpkg-deb", "--raw-extract", deb, directory)
    return directory


def test_it_is_for_every_machine_and_takes_debians_own_packages(deb: Path) -> None:
    assert output("dpkg-deb", "--field", deb, "Architecture").strip() == "all"
    assert output("dpkg-deb", "--field", deb, "Version").strip() == __version__
    depends = output("dpkg-deb", "--field", deb, "Depends").split(",")
    assert {dependency.split()[0] for dependency in depends} >= DEPENDS


def test_every_file_is_where_the_system_looks_for_it(unpacked: Path) -> None:
    for path, source in EXPECTED.items():
        same((unpacked / path).read_bytes(), (ROOT / source).read_bytes())
    for path in MADE:
        assert (unpacked / path).stat().st_size > 0


def test_the_whole_program_is_in_it(unpacked: Path) -> None:
    modules = unpacked / "usr/lib/python3/dist-packages"
    packed = {path.relative_to(modules) for path in modules.rglob("*") if path.is_file()}
    program, static = ROOT / "gatewayd", ROOT / "gatewayd/web/static"
    files = [path for path in static.rglob("*") if path.is_file() and path.name != "LICENSE"]
    sources = {path.relative_to(ROOT) for path in (*program.rglob("*.py"), *files)}
    assert packed == sources


def test_only_the_configuration_is_the_administrators(unpacked: Path) -> None:
    assert (unpacked / "DEBIAN/conffiles").read_text() == "/etc/gatewayd/gatewayd.yaml\n"


def test_everything_belongs_to_root_and_is_writable_by_nobody_else(deb: Path) -> None:
    for line in output("dpkg-deb", "--contents", deb).splitlines():
        mode, owner, *_ = line.split()
        assert owner == "root/root"
        assert mode[5] == mode[8] == "-", line


def test_equal_sources_make_equal_packages(deb: Path, tmp_path: Path) -> None:
    same(build(tmp_path).read_bytes(), deb.read_bytes())


def test_git_is_not_asked(deb: Path, tmp_path: Path) -> None:
    """It may be missing, or refuse a checkout that is somebody else's."""
    refusing = tmp_path / "git"
    refusing.write_text("#!/bin/sh\necho 'fatal: detected dubious ownership' >&2\nexit 128\n")
    refusing.chmod(0o755)
    built = build(tmp_path, PATH=f"{tmp_path}:{os.environ['PATH']}")
    same(built.read_bytes(), deb.read_bytes())


def test_one_licence_and_one_maintainer(deb: Path) -> None:
    licence, copyright_ = (ROOT / "LICENSE").read_text(), (ROOT / "packaging/copyright").read_text()
    holder = re.search(r"^Copyright \(c\) (.*)$", licence, re.MULTILINE)
    assert holder is not None
    assert f"Copyright: {holder[1]}\n" in copyright_
    words = licence[holder.end() :].split()
    assert [
        word for word in copyright_.split("License: Expat\n")[-1].split() if word != "."
    ] == words
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert licence.startswith(f"{project['license']['text']} License\n")
    maintainer = output("dpkg-deb", "--field", deb, "Maintainer").strip()
    assert f" -- {maintainer}  " in (ROOT / "packaging/changelog").read_text()
    assert maintainer.partition(" <")[0] in holder[1]


@pytest.mark.parametrize("script", ["postinst", "prerm", "postrm"])
def test_maintainer_scripts_are_shell(unpacked: Path, script: str) -> None:
    path = unpacked / "DEBIAN" / script
    assert path.stat().st_mode & 0o111
    subprocess.run(["sh", "-n", path], check=True, timeout=30)


def test_lintian_finds_no_error(deb: Path) -> None:
    if shutil.which("lintian") is None:
        pytest.skip("lintian is not installed")
    done = subprocess.run(
        ["lintian", "--fail-on", "error,warning", "--allow-root", deb],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
