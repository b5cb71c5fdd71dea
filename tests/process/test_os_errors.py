"""The reason of a connection that failed is that of its own kind of error."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest

from hookline.process.os_errors import reason_of


def tls_error() -> ssl.SSLError:
    """What a client says of an answer that is no TLS: its errno is 1, which is EPERM elsewhere."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    incoming.write(b"HTTP/1.1 400 This is no TLS\r\n\r\n")
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="a.example")
    with pytest.raises(ssl.SSLError) as caught:
        client.do_handshake()
    return caught.value


def test_reasons_of_sockets_names_and_tls() -> None:
    refused = ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('10.0.0.1', 443)")
    unknown = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    assert reason_of(refused) == "Connection refused"
    assert reason_of(unknown) == "Name or service not known"
    assert tls_error().errno == errno.EPERM
    assert reason_of(tls_error()) in ("wrong version number", "record layer failure")
    assert reason_of(OSError("Multiple exceptions")) == "Multiple exceptions"
