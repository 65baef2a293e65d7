"""The file of users: a line for each, `NAME:scrypt:N:r:p:SALT:HASH`, and what is right of them.

scrypt is RFC 7914; N is written as its power of two. What hashes is slow by design: not for a loop.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gatewayd.config.door_kinds import user_name_problem
from gatewayd.errors import GatewayError
from gatewayd.regular import open_regular

MOST_USERS: Final = 1000
_SALT_BYTES: Final = 16
_HASH_BYTES: Final = 32


class UsersError(GatewayError):
    """The file of users cannot be used; the text names it and says why."""


@dataclass(frozen=True, slots=True)
class Secret:
    """What is kept of a password: the cost of its hash (RFC 7914, section 2), salt and hash."""

    log_n: int
    r: int
    p: int
    salt: bytes
    hash: bytes

    def fits(self, password: bytes) -> bool:
        """Whether it is that password's. Takes as long for every password."""
        found = _scrypt(password, self.salt, self.log_n, self.r, self.p)
        return hmac.compare_digest(found, self.hash)


def secret(password: bytes) -> Secret:
    """What to keep of a password: 32 MiB and about 0.1 s on a small board to try one."""
    log_n, r, p = 15, 8, 1
    salt = os.urandom(_SALT_BYTES)
    return Secret(log_n, r, p, salt, _scrypt(password, salt, log_n, r, p))


NOBODY: Final = Secret(15, 8, 1, bytes(_SALT_BYTES), bytes(_HASH_BYTES))
"""What a name that does not exist is compared with: no password fits, in the same time."""


def _scrypt(password: bytes, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    n = 1 << log_n
    most = 128 * n * r + 128 * r * p + (1 << 20)
    return hashlib.scrypt(password, salt=salt, n=n, r=r, p=p, maxmem=most, dklen=_HASH_BYTES)


def read_users(path: str) -> dict[str, Secret]:
    """The users of a file. Raises UsersError, also when others than its owner can read it."""
    try:
        with open_regular(path) as file:
            found = os.fstat(file.fileno())
            if found.st_mode & 0o077:
                raise UsersError(
                    f"{path}: others can use it (mode {stat.S_IMODE(found.st_mode):04o}); "
                    f"chmod 600 {path}"
                )
            return dict(_parsed(path, file.read().decode()))
    except FileNotFoundError as error:
        raise UsersError(f"{path}: {error.strerror}; gatewayd user add NAME makes it") from None
    except OSError as error:
        raise UsersError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsersError(f"{path}: is no text") from None


def _parsed(path: str, text: str) -> Iterator[tuple[str, Secret]]:
    seen: set[str] = set()
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, kept = line.partition(":")
        where = f"{path}:{number}"
        if problem := user_name_problem(name):
            raise UsersError(f"{where}: {problem}; delete line {number}, or mend it")
        if name in seen:
            raise UsersError(f"{where}: {name} is there twice; delete line {number}")
        seen.add(name)
        if len(seen) > MOST_USERS:
            raise UsersError(f"{where}: more than {MOST_USERS} users")
        try:
            yield name, _read_secret(kept)
        except ValueError:
            raise UsersError(
                f"{where}: what follows {name} is no password's hash; delete line {number}, "
                f"then: gatewayd user add {name}"
            ) from None


def _read_secret(text: str) -> Secret:
    """Raises ValueError."""
    method, log_n, r, p, salt, hash_ = text.split(":")
    try:
        found = Secret(int(log_n), int(r), int(p), _bytes(salt), _bytes(hash_))
    except binascii.Error as error:
        raise ValueError(str(error)) from None
    # Bounds: what somebody wrote by hand must not take the memory of the machine.
    possible = 10 <= found.log_n <= 20 and 1 <= found.r <= 16 and 1 <= found.p <= 4
    if method != "scrypt" or not possible or found.log_n + found.r.bit_length() > 22:
        raise ValueError(method)
    if len(found.salt) < _SALT_BYTES or len(found.hash) != _HASH_BYTES:
        raise ValueError("too short")
    return found


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def write_users(path: str, users: Mapping[str, Secret]) -> None:
    """Replace the file, or make it; only its owner can read it. Raises UsersError."""
    lines = ["# Users of gatewayd, see gatewayd user; passwords by scrypt.\n"]
    for name, kept in users.items():
        salt, hash_ = (base64.b64encode(value).decode() for value in (kept.salt, kept.hash))
        lines.append(f"{name}:scrypt:{kept.log_n}:{kept.r}:{kept.p}:{salt}:{hash_}\n")
    new = ""
    try:
        fd, new = tempfile.mkstemp(prefix=".users.", dir=os.path.dirname(path) or ".")
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
            if os.path.exists(path):
                before = os.stat(path)
                os.fchown(file.fileno(), before.st_uid, before.st_gid)
        os.replace(new, path)
    except OSError as error:
        if new:
            Path(new).unlink(missing_ok=True)
        raise UsersError(f"{path}: {error.strerror}") from None
