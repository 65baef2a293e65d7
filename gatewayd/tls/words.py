"""Why TLS failed, in words."""

from __future__ import annotations

import ssl
from typing import Final

_REASONS: Final = {
    "HTTP_REQUEST": "the client speaks HTTP, not TLS",
    "HTTPS_PROXY_REQUEST": "the client speaks HTTP, not TLS",
    "WRONG_VERSION_NUMBER": "the client does not speak TLS",
    "UNKNOWN_PROTOCOL": "the client does not speak TLS",
    "UNEXPECTED_MESSAGE": "the client sent a message that has no place there",
    "UNSUPPORTED_PROTOCOL": "the client speaks an old TLS only; 1.2 is needed",
    "VERSION_TOO_LOW": "the client speaks an old TLS only; 1.2 is needed",
    "NO_SHARED_CIPHER": "the client and the gateway have no cipher in common",
    "NO_SUITABLE_SIGNATURE_ALGORITHM": "the client cannot check the kind of our certificate",
    "NO_SHARED_SIGNATURE_ALGORITHMS": "the client cannot check the kind of our certificate",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the client has shown no certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "the client does not know who has signed our certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the client does not accept our certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the client does not accept our certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "for the client our certificate has expired",
    "TLSV1_ALERT_DECRYPT_ERROR": "the client could not check our signature",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the client gave up",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the client speaks another version of TLS",
    "TLSV1_ALERT_USER_CANCELLED": "the client gave up",
    "EE_KEY_TOO_SMALL": "the key is too short",
    "CA_MD_TOO_WEAK": "the signature of the certificate is too weak",
    "PEM_LIB": "there is none in it",
}


def in_words(error: ssl.SSLError) -> str:
    """Why a handshake failed, or keys cannot be used."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"a certificate does not hold: {error.verify_message}"
    reason = error.reason or ""
    if not reason:
        return error.strerror or "unknown"
    return _REASONS.get(reason, reason.lower().replace("_", " "))
