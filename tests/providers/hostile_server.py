"""A server that says whatever bytes it is told to, for as long as anybody listens, and bodies that mean harm."""

import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

MEBIBYTE = 2**20
MOST_SAID_MB = 64
"""What may be under way on loopback, on top of the megabytes that a client reads before it refuses."""
ByteChunks = Callable[[], Iterable[bytes]]


def make_compressed_bomb(megabytes: int) -> bytes:
    """A JSON object so large, packed to a thousandth."""
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return b"".join(
        (
            packer.compress(b'{"data":"'),
            *(packer.compress(b"x" * MEBIBYTE) for _ in range(megabytes)),
            packer.compress(b'"}'),
            packer.flush(),
        )
    )


def http_head(*lines: str, status: int = 200) -> bytes:
    """The beginning of an HTTP answer."""
    return "\r\n".join((f"HTTP/1.1 {status} X", *lines, "", "")).encode()


def repeat_forever(first: bytes, again: bytes) -> ByteChunks:
    """Something, and then something else for ever."""

    def pieces() -> Iterator[bytes]:
        yield first
        while True:
            yield again

    return pieces


@contextmanager
def serve_bytes(pieces: ByteChunks, tls: ssl.SSLContext | None = None, *, first: bool = False) -> Iterator[int]:
    """Serve on loopback; yields the port. first: speak before anything is asked, as mail servers do.

    Fails where somebody went on listening: what is said without end is refused when little of it was heard.
    """
    said = [0]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=_serve_client, args=(listener, pieces, tls, first, said), daemon=True)
        server.start()
        yield listener.getsockname()[1]
        with suppress(OSError):
            socket.create_connection(listener.getsockname(), timeout=60).close()
        server.join(timeout=60)
    assert not server.is_alive()
    assert said[0] <= MOST_SAID_MB * MEBIBYTE


def _serve_client(
    listener: socket.socket,
    pieces: ByteChunks,
    tls: ssl.SSLContext | None,
    first: bool,  # noqa: FBT001
    said: list[int],
) -> None:
    with suppress(OSError):
        link, _ = listener.accept()
        link.settimeout(60)
        with link if tls is None else tls.wrap_socket(link, server_side=True) as heard:
            if not first:
                heard.recv(65536)
            for piece in pieces():
                heard.sendall(piece)
                said[0] += len(piece)
