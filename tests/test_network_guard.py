"""The guard against the network is itself guarded."""

import socket
import threading
from contextlib import closing

import pytest
import requests

OUTSIDE = "192.0.2.1"
"""Belongs to nobody. Source: RFC 5737."""


def test_no_connection_leaves_this_machine(strayed: list[str]) -> None:
    with socket.socket() as made, pytest.raises(OSError, match="the network is off in tests"):
        made.connect((OUTSIDE, 443))
    assert strayed == [f"socket.connect '{OUTSIDE}'"]
    strayed.clear()


def test_no_datagram_leaves_this_machine(strayed: list[str]) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as made, pytest.raises(OSError, match="the network is off in tests"):
        made.sendto(b"hello", (OUTSIDE, 53))
    strayed.clear()


def test_no_name_is_looked_up(strayed: list[str]) -> None:
    with pytest.raises(OSError, match="the network is off in tests"):
        socket.getaddrinfo("smartcharge.invalid", 443)
    strayed.clear()


def test_a_library_that_swallows_the_refusal_is_noticed_all_the_same(strayed: list[str]) -> None:
    with pytest.raises(requests.ConnectionError):
        requests.get(f"https://{OUTSIDE}/", timeout=1)
    assert len(strayed) >= 1
    strayed.clear()


def test_a_thread_is_under_guard_too(strayed: list[str]) -> None:
    def leave() -> None:
        with socket.socket() as made:
            made.connect_ex((OUTSIDE, 443))

    def quietly() -> None:
        try:
            leave()
        except OSError:
            return

    thread = threading.Thread(target=quietly)
    thread.start()
    thread.join()
    assert len(strayed) == 1
    strayed.clear()


def test_this_machine_can_be_reached() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        with closing(socket.create_connection(("localhost", server.getsockname()[1]), timeout=60)) as client:
            client.sendall(b"hello")
            answered, _ = server.accept()
        with answered:
            assert answered.recv(5) == b"hello"
