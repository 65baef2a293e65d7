"""Verifies what a client sends as KERBEROS_V5 AUTH (RFC 2942): an AP-REQ of RFC 4120.

The request holds a ticket, which only the KDC can have made, and an authenticator by which the
client shows that the ticket is its own, now, and for this very way of authentication. The KDC is
not asked: our key is in the keytab.
"""

from __future__ import annotations

import ctypes
import os
import stat
from ctypes import POINTER, byref, c_char_p, c_uint32, c_void_p
from dataclasses import dataclass
from typing import Final

from gatewayd.kerberos.library import (
    Authenticator,
    Context,
    Data,
    KerberosError,
    context,
    exchange,
    keytab,
    library,
)

MOST_BYTES: Final = 16384
"""Of a request; a ticket that lists the groups of its owner has some KiB."""
_KEY_USAGE: Final = 10
"""Of the authenticator's checksum, RFC 4120 section 7.5.1."""


@dataclass(frozen=True, slots=True)
class Verified:
    """Who has shown a good ticket."""

    principal: str
    """Such as `alice@LAB`."""
    reply: bytes
    """An AP-REP, by which the client knows us: for a client that asks for mutual authentication."""


class Verifier:
    """Judges requests by one keytab."""

    def __init__(self, path: str) -> None:
        """Raises KerberosError if the library is not there or the file cannot serve."""
        try:
            mode = os.stat(path).st_mode
        except OSError as error:
            raise KerberosError(f"{path}: {error.strerror}") from error
        if mode & (stat.S_IROTH | stat.S_IWOTH):
            raise KerberosError(f"{path}: every user of this machine can read or write it")
        self._path = path
        try:
            with context() as within, keytab(within, path):
                pass
        except KerberosError as error:
            raise KerberosError(f"{path}: {error}") from error

    def verify(self, request: bytes, pair: bytes) -> Verified:
        """Who has sent `request` with the authentication type pair `pair`, two octets.

        Raises KerberosError. Reads files (krb5.conf, the keytab, the replay cache), so it is not
        for a loop; it may run in several threads at once.
        """
        if len(request) > MOST_BYTES:
            raise KerberosError(f"a request of {len(request)} bytes")
        with context() as within, keytab(within, self._path) as keys, exchange(within) as state:
            read = library().krb5_rd_req(
                within.handle, byref(state), byref(_data(request)), None, keys, None, None
            )
            within.done(read)
            principal = _client(within, state, pair)
            return Verified(principal, _reply(within, state))


def _client(within: Context, state: c_void_p, pair: bytes) -> str:
    lib = library()
    told = POINTER(Authenticator)()
    within.done(lib.krb5_auth_con_getauthenticator(within.handle, state, byref(told)))
    try:
        _check_pair(within, state, told, pair)
        text = c_char_p()
        within.done(lib.krb5_unparse_name(within.handle, told.contents.client, byref(text)))
        try:
            return (text.value or b"").decode(errors="backslashreplace")
        finally:
            lib.krb5_free_unparsed_name(within.handle, text)
    finally:
        lib.krb5_free_authenticator(within.handle, told)


def _check_pair(
    within: Context, state: c_void_p, told: ctypes._Pointer[Authenticator], pair: bytes
) -> None:
    # Else who is between could have the client ask for less than both ends can do.
    lib = library()
    checksum = told.contents.checksum
    if not checksum:
        raise KerberosError("the request does not say for which way of authentication it is")
    key = c_void_p()
    within.done(lib.krb5_auth_con_getkey(within.handle, state, byref(key)))
    try:
        valid = c_uint32(0)
        verified = lib.krb5_c_verify_checksum(
            within.handle, key, _KEY_USAGE, byref(_data(pair)), checksum, byref(valid)
        )
        within.done(verified)
    finally:
        lib.krb5_free_keyblock(within.handle, key)
    if not valid.value:
        raise KerberosError("the request is for another way of authentication")


def _reply(within: Context, state: c_void_p) -> bytes:
    made = Data()
    within.done(library().krb5_mk_rep(within.handle, state, byref(made)))
    try:
        return ctypes.string_at(made.data, made.length)
    finally:
        library().krb5_free_data_contents(within.handle, byref(made))


def _data(octets: bytes) -> Data:
    held = ctypes.create_string_buffer(octets, len(octets) or 1)
    data = Data(0, len(octets), ctypes.cast(held, c_void_p))
    data.held = held  # the structure has a bare pointer to it
    return data
