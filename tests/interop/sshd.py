"""Debian's sshd on a port of the loopback interface, with a configuration of its own."""

from __future__ import annotations

import contextlib
import os
import pwd
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.interop.served import FETCHED
from tests.ports import free_ports
from tests.watched import Watched

_PREPARE = """
mount --bind "$1" /etc/passwd && mount --bind "$2" /etc/shadow && mount -t tmpfs none /run &&
mkdir -m 755 /run/sshd && shift 2 && exec "$@"
"""
"""As root sshd wants a user and a directory that come with the installed package, and a user to log
in whose password is not locked: it gets them in a mount namespace of its own."""


class Sshd:
    """A server where whoever logs in gets one command, and how a client is called."""

    def __init__(self, directory: Path, port: int, user: str) -> None:
        self._directory = directory
        self._port = port
        self._user = user

    def command(self, *asked: str, terminal: bool) -> list[str]:
        """The command line of a client that asks for `asked` to be run."""
        options = ("StrictHostKeyChecking=no", "LogLevel=ERROR", "IdentitiesOnly=yes")
        return [
            *("ssh", "-F", "none", "-p", str(self._port), "-i", str(self._directory / "key")),
            *(f"-o{option}" for option in options),
            f"-oUserKnownHostsFile={self._directory}/known",
            "-tt" if terminal else "-T",
            f"{self._user}@127.0.0.1",
            *(("--", *asked) if asked else ()),
        ]

    def known_as(self, name: str, address: str = "127.0.0.1") -> str:
        """A part of ssh's configuration by which the server is called `name`."""
        return (
            f"Host {name}\n HostName {address}\n Port {self._port}\n User {self._user}\n"
            f" IdentityFile {self._directory}/key\n IdentitiesOnly yes\n"
            f" UserKnownHostsFile {self._directory}/known\n StrictHostKeyChecking no\n"
        )


@contextlib.contextmanager
def sshd(
    directory: Path, force: str, *, entering: Sequence[str | Path] = (), address: str = "127.0.0.1"
) -> Iterator[Sshd]:
    """Serve; whoever logs in gets `force`. Skips where there is none.

    `entering` begins the command line of what is to run elsewhere, with an `address` there.
    """
    program = FETCHED / "openssh-server/usr/sbin/sshd"
    if not program.exists() or not shutil.which("ssh-keygen"):
        pytest.skip("openssh is not fetched; ./dev test does that")
    for name in ("host", "key"):
        keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)]
        subprocess.run(keygen, check=True)
    shutil.copy(directory / "key.pub", directory / "authorized")
    (port,) = free_ports(1)
    config = directory / "sshd_config"
    config.write_text(
        f"ListenAddress {address}:{port}\nHostKey {directory}/host\nPidFile none\n"
        f"AuthorizedKeysFile {directory}/authorized\nStrictModes no\nUsePAM no\n"
        f"PermitRootLogin prohibit-password\nPasswordAuthentication no\nForceCommand {force}\n"
    )
    with config.open("a") as file:
        # Later ones have parts that are looked for where the installed package has them.
        for key, name in (("SshdSessionPath", "sshd-session"), ("SshdAuthPath", "sshd-auth")):
            part = FETCHED / "openssh-server/usr/lib/openssh" / name
            if part.exists():
                file.write(f"{key} {part}\n")
    libraries = ":".join(str(one.parent) for one in FETCHED.glob("libwrap0/**/libwrap.so.0"))
    command = [str(program), "-D", "-e", "-f", str(config)]
    user = pwd.getpwuid(os.getuid()).pw_name
    if os.geteuid() == 0:
        user = "lab"
        command = _as_root(directory, command)
    environment = {**os.environ, "LD_LIBRARY_PATH": libraries}
    with Watched([*entering, *command], environment=environment) as server:
        try:
            server.wait_for("Server listening on")
        except AssertionError:
            if "unshare" in server.text or "mount:" in server.text:
                pytest.skip(f"no mount namespaces here: {server.text.strip()}")
            raise
        yield Sshd(directory, port, user)


def _as_root(directory: Path, command: list[str]) -> list[str]:
    passwd, shadow = directory / "passwd", directory / "shadow"
    passwd.write_text(
        f"{Path('/etc/passwd').read_text()}lab:x:0:0::/:/bin/sh\n"
        "sshd:x:64999:65534::/run/sshd:/usr/sbin/nologin\n"
    )
    shadow.write_text("root:*:1::::::\nlab:*:1::::::\nsshd:*:1::::::\n")
    return ["unshare", "--mount", "sh", "-c", _PREPARE, "sh", str(passwd), str(shadow), *command]


def quoted(*words: str) -> str:
    """A command for `ForceCommand`."""
    return shlex.join(words)
