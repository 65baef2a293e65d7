"""Who may do what on the page: pure decisions about one request.

A browser sends requests on behalf of every page that is open in it. What tells them apart is `Host`
(a name of an attacker's that resolves to this machine is none of ours) and `Origin` (which page it
was); both are looked at before anything else.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Final

SIGNED_IN_S: Final = 12 * 3600
"""How long a browser stays signed in."""
_PURPOSE: Final = b"gatewayd page, signed in until "


@dataclass(frozen=True, slots=True)
class Ends:
    """Both ends of a connection, as numeric addresses without ports."""

    ours: str
    theirs: str

    @property
    def within_the_machine(self) -> bool:
        """Whether nothing of it leaves the machine."""
        return is_loopback(self.ours) and is_loopback(self.theirs)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by every name that it has."""
    return host == "localhost" or (_is_address(host) and _address(host).is_loopback)


def host_of(authority: str) -> str:
    """The host of `host`, `host:port` or `[v6]:port`, in lower case."""
    if authority.startswith("["):
        return authority[1:].partition("]")[0].lower()
    return authority.partition(":")[0].lower()


def port_of(authority: str) -> str:
    """The port of an authority; empty when it has none."""
    port = authority.rpartition(":")[2] if ":" in authority.rpartition("]")[2] else ""
    return port if port.isascii() and port.isdigit() else ""


def is_our_host(authority: str, ends: Ends, names: frozenset[str]) -> bool:
    """Whether `Host` names us: localhost, the address that was connected to, or one of `names`."""
    host = host_of(authority)
    if host == "localhost" or host in names:
        return True
    return _is_address(host) and _address(host) == _address(ends.ours)


def is_our_origin(origin: str | None, authority: str) -> bool:
    """Whether `Origin` is the page that we serve under the `Host` of the request."""
    return origin is not None and origin.lower() in (
        f"http://{authority.lower()}",
        f"https://{authority.lower()}",
    )


def may_look_unasked(authority: str, ends: Ends) -> bool:
    """Whether somebody without a token may look: who is on this machine, and not behind a proxy
    that serves others under a name of ours."""
    return ends.within_the_machine and is_loopback(host_of(authority))


def cookie_name(authority: str) -> str:
    """Cookies know hosts only; two gateways behind one `ssh -L` each have their own by the port."""
    return f"gatewayd-{port_of(authority) or '80'}"


def ticket(token: str, now: float) -> str:
    """What a browser keeps in place of the token: the end of its time, and a proof of it."""
    until = str(int(now) + SIGNED_IN_S)
    return f"{until}.{_proof(token, until)}"


def is_ticket(given: str, token: str, now: float) -> bool:
    """Whether `given` was made by `ticket` with this token, and its time is not over."""
    until, _, proof = given.partition(".")
    # A digest is compared always: its time tells nothing of the token.
    right = hmac.compare_digest(proof.encode(), _proof(token, until).encode())
    return right and until.isascii() and until.isdigit() and now < int(until[:12])


def is_token(given: str, token: str) -> bool:
    """Whether a token is the right one, in a time that does not depend on it."""
    # JSON may say half of a surrogate pair, UTF-8 may not.
    return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())


def cookie(headers: Mapping[str, str], name: str) -> str:
    """A cookie of a request; empty when there is none."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return morsel.value if morsel is not None else ""


def _proof(token: str, until: str) -> str:
    return hmac.new(token.encode(), _PURPOSE + until.encode(), hashlib.sha256).hexdigest()


def _is_address(host: str) -> bool:
    try:
        _address(host)
    except ValueError:
        return False
    return True


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(host)
    return getattr(address, "ipv4_mapped", None) or address
