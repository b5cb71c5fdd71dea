"""Why a connection failed, without the address that asyncio writes into its texts."""

from __future__ import annotations

import os
import ssl

__all__ = ["reason_of"]


def reason_of(error: OSError) -> str:
    """What the error of a socket, of TLS or of a name says, in a few words.

    Only a socket's `errno` is one of this system: that of TLS is OpenSSL's, that of a name (from
    getaddrinfo) is negative.
    """
    if isinstance(error, ssl.SSLError):
        return (error.reason or error.strerror or str(error)).replace("_", " ").lower()
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error) or type(error).__name__
