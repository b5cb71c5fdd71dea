"""A port is shared by the processes of one receiver, and by nobody else."""

from __future__ import annotations

import socket

import pytest

from hookline.process.shared_port import shared_port
from hookline.settings import ConfigurationError


def listening(port: int, *, shared: bool) -> socket.socket:
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    found.bind(("127.0.0.1", port))
    found.listen()
    return found


def test_several_sockets_listen_on_the_port_and_no_other_receiver_gets_it() -> None:
    with (
        shared_port("127.0.0.1", 0, "HOOKLINE_") as port,
        listening(port, shared=True),
        listening(port, shared=True),
    ):
        sentence = rf"^HOOKLINE_PORT: cannot listen on 127\.0\.0\.1:{port}, Address already in use"
        with (
            pytest.raises(ConfigurationError, match=sentence),
            shared_port("127.0.0.1", port, "HOOKLINE_"),
        ):
            pass


def test_a_socket_that_was_bound_at_the_same_time_cannot_listen() -> None:
    with socket.socket() as other, socket.socket() as late:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        late.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        with shared_port("127.0.0.1", port, "HOOKLINE_"):
            # What a second receiver does next.
            with pytest.raises(OSError, match="Address already in use"):
                other.listen()
            with pytest.raises(OSError, match="Address already in use"):
                late.bind(("127.0.0.1", port))
            listening(port, shared=True).close()


def test_a_restart_gets_its_port_although_connections_have_just_been_closed() -> None:
    with (
        shared_port("127.0.0.1", 0, "HOOKLINE_") as port,
        listening(port, shared=True) as receiver,
        socket.create_connection(("127.0.0.1", port)) as sender,
    ):
        receiver.accept()[0].close()
        assert sender.recv(1) == b""
    with shared_port("127.0.0.1", port, "HOOKLINE_"), listening(port, shared=True):
        pass


def test_a_port_where_somebody_listens_is_refused() -> None:
    with (
        listening(0, shared=False) as taken,
        pytest.raises(ConfigurationError, match="Address already in use"),
        shared_port("127.0.0.1", taken.getsockname()[1], "HOOKLINE_"),
    ):
        pass


@pytest.mark.parametrize("host", ["localhost", "0.0.0.0", "::1"])  # noqa: S104
def test_every_address_of_the_host_has_the_same_port(host: str) -> None:
    with shared_port(host, 0, "HOOKLINE_") as port, shared_port(host, 0, "HOOKLINE_") as other:
        assert port != other
        assert min(port, other) > 0


def test_a_host_that_is_not_known_is_named() -> None:
    with (
        pytest.raises(ConfigurationError, match=r"^HOOKLINE_HOST: cannot listen on nowhere"),
        shared_port("nowhere.invalid", 0, "HOOKLINE_"),
    ):
        pass


def test_a_system_without_shared_ports_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "SO_REUSEPORT")
    with (
        pytest.raises(ConfigurationError, match=r"^HOOKLINE_PROCESSES: .* set it to 1\.$"),
        shared_port("127.0.0.1", 0, "HOOKLINE_"),
    ):
        pass
