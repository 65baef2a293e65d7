"""What of MIT's libkrb5 is called, by ctypes: its functions and structures as krb5.h has them."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable, Iterator
from ctypes import POINTER, byref, c_char_p, c_int32, c_uint, c_uint32, c_void_p
from functools import cache
from typing import Final

from gatewayd.errors import GatewayError

SONAME: Final = "libkrb5.so.3"


class KerberosError(GatewayError):
    """The library, the keytab or a ticket is not as it must be; the text says why."""


class Data(ctypes.Structure):
    """krb5_data."""

    _fields_ = (("magic", c_int32), ("length", c_uint), ("data", c_void_p))


class Checksum(ctypes.Structure):
    """krb5_checksum."""

    _fields_ = (
        ("magic", c_int32),
        ("checksum_type", c_int32),
        ("length", c_uint),
        ("contents", c_void_p),
    )


class Authenticator(ctypes.Structure):
    """The beginning of krb5_authenticator; the library makes them, so the rest may be unknown."""

    _fields_ = (("magic", c_int32), ("client", c_void_p), ("checksum", POINTER(Checksum)))


_OUT: Final = POINTER(c_void_p)
_FUNCTIONS: Final = {
    "krb5_init_context": (c_int32, _OUT),
    "krb5_free_context": (None, c_void_p),
    "krb5_get_error_message": (c_void_p, c_void_p, c_int32),
    "krb5_free_error_message": (None, c_void_p, c_void_p),
    "krb5_kt_resolve": (c_int32, c_void_p, c_char_p, _OUT),
    "krb5_kt_have_content": (c_int32, c_void_p, c_void_p),
    "krb5_kt_close": (c_int32, c_void_p, c_void_p),
    "krb5_auth_con_init": (c_int32, c_void_p, _OUT),
    "krb5_auth_con_free": (c_int32, c_void_p, c_void_p),
    "krb5_rd_req": (
        *(c_int32, c_void_p, _OUT, POINTER(Data), c_void_p, c_void_p),
        *(POINTER(c_int32), _OUT),
    ),
    "krb5_auth_con_getauthenticator": (
        c_int32,
        c_void_p,
        c_void_p,
        POINTER(POINTER(Authenticator)),
    ),
    "krb5_free_authenticator": (None, c_void_p, POINTER(Authenticator)),
    "krb5_auth_con_getkey": (c_int32, c_void_p, c_void_p, _OUT),
    "krb5_free_keyblock": (None, c_void_p, c_void_p),
    "krb5_c_verify_checksum": (
        *(c_int32, c_void_p, c_void_p, c_int32, POINTER(Data), POINTER(Checksum)),
        POINTER(c_uint32),
    ),
    "krb5_mk_rep": (c_int32, c_void_p, c_void_p, POINTER(Data)),
    "krb5_free_data_contents": (None, c_void_p, POINTER(Data)),
    "krb5_unparse_name": (c_int32, c_void_p, c_void_p, POINTER(c_char_p)),
    "krb5_free_unparsed_name": (None, c_void_p, c_char_p),
}


@cache
def library() -> ctypes.CDLL:
    """The library. Raises KerberosError, which tells what to install."""
    try:
        loaded = ctypes.CDLL(SONAME)
    except OSError as error:
        raise KerberosError(
            f"Kerberos needs MIT's library, Debian's package libkrb5-3: {error}"
        ) from error
    for name, (result, *arguments) in _FUNCTIONS.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    return loaded


class Context:
    """One call's state in the library, which no two threads may share."""

    def __init__(self, handle: c_void_p) -> None:
        self.handle = handle

    def done(self, code: int) -> None:
        """Raise KerberosError, in the library's words, unless `code` is that of success."""
        if not code:
            return
        text = library().krb5_get_error_message(self.handle, code)
        try:
            words = ctypes.string_at(text).decode(errors="replace")
        finally:
            library().krb5_free_error_message(self.handle, text)
        raise KerberosError(words)


@contextlib.contextmanager
def context() -> Iterator[Context]:
    """A context, as /etc/krb5.conf says. Raises KerberosError."""
    handle = c_void_p()
    if code := library().krb5_init_context(byref(handle)):
        raise KerberosError(f"Kerberos cannot be set up: error {code}; see krb5.conf")
    try:
        yield Context(handle)
    finally:
        library().krb5_free_context(handle)


@contextlib.contextmanager
def keytab(within: Context, path: str) -> Iterator[c_void_p]:
    """The keys of the file `path`. Raises KerberosError."""
    handle = c_void_p()
    name = f"FILE:{path}".encode()
    within.done(library().krb5_kt_resolve(within.handle, name, byref(handle)))
    with _freed(library().krb5_kt_close, within, handle):
        within.done(library().krb5_kt_have_content(within.handle, handle))
        yield handle


@contextlib.contextmanager
def exchange(within: Context) -> Iterator[c_void_p]:
    """What is kept between a request and its answer."""
    handle = c_void_p()
    within.done(library().krb5_auth_con_init(within.handle, byref(handle)))
    with _freed(library().krb5_auth_con_free, within, handle):
        yield handle


@contextlib.contextmanager
def _freed(
    free: Callable[[c_void_p, c_void_p], object], within: Context, handle: c_void_p
) -> Iterator[None]:
    try:
        yield
    finally:
        free(within.handle, handle)
