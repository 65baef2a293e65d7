"""The token of the page: 256 random bits in a file that nobody else can read."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
import tempfile
from pathlib import Path
from typing import Final

from gatewayd.errors import GatewayError
from gatewayd.regular import open_regular

SYSTEM_DIRECTORY: Final = "/var/lib/gatewayd-web"
"""The state directory of the service."""
_BYTES: Final = 32
_FORM: Final = "[A-Za-z0-9_-]{43}"
"""What `secrets.token_urlsafe` makes of so many bytes."""
_LONGEST: Final = 64
"""Bytes that are read: more is no token."""


class TokenError(GatewayError):
    """The file of the token cannot be read or written."""


def token_path() -> Path:
    """Where the token is: in the state directory of the service, of root, or of the user."""
    state = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if state or os.geteuid() == 0:
        return Path(state or SYSTEM_DIRECTORY, "token")
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    return Path(home, "gatewayd", "web-token")


def read_token(path: Path) -> str:
    """The token; empty while there is none. Raises TokenError, also when the file is another's or
    others can use it."""
    try:
        with open_regular(path) as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read(_LONGEST).decode("ascii", "replace").strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise TokenError(f"{path}: {error.strerror}") from error
    if not re.fullmatch(_FORM, text):
        raise TokenError(f"{path}: holds no token; gatewayd web-token --new makes one there")
    if mode & 0o077:
        raise TokenError(
            f"{path}: others can use it (mode {mode:04o}); gatewayd web-token --new makes another"
        )
    return text


def new_token(path: Path) -> str:
    """Make a token; who was signed in with the one before is so no more. Raises TokenError."""
    token = secrets.token_urlsafe(_BYTES)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(f"{token}\n")
                # Root makes it for the user of the service.
                owner = path.parent.stat()
                if os.geteuid() == 0:
                    os.fchown(descriptor, owner.st_uid, owner.st_gid)
            os.replace(draft, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(draft)
            raise
    except OSError as error:
        raise TokenError(f"{path}: {error.strerror}") from error
    return token
