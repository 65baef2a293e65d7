"""The token of the page: 256 random bits in a file that nobody else can read."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from pathlib import Path
from typing import Final

from gatewayd.errors import GatewayError

SYSTEM_DIRECTORY: Final = "/var/lib/gatewayd-web"
"""The state directory of the service."""


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
    """The token; empty while there is none. Raises TokenError."""
    try:
        return path.read_text("ascii").strip()
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise TokenError(f"{path}: {_why(error)}") from error


def new_token(path: Path) -> str:
    """Make a token; who was signed in with the one before is so no more. Raises TokenError."""
    token = secrets.token_urlsafe(32)
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
        raise TokenError(f"{path}: {_why(error)}") from error
    return token


def _why(error: Exception) -> str:
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number) if number else str(error)
