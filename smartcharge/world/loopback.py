"""One background thread with an event loop, in which the street's servers live, on loopback only."""

import asyncio
import ssl
import threading
from pathlib import Path

import trustme

from smartcharge.world.front import FrontDoor
from smartcharge.world.post import PostOffice

LOOPBACK = "127.0.0.1"
CLOSING_S = 1.0


def trusted_context(hosts: tuple[str, ...], ca_file: Path) -> ssl.SSLContext:
    """Make a throw-away certificate authority, write it down, and let it vouch for these hosts and loopback."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*hosts, "localhost", LOOPBACK).configure_cert(context)
    context.num_tickets = 0
    return context


class Loopback:
    """The front door and the post office, served between `start` and `stop`."""

    def __init__(self, door: FrontDoor, post: PostOffice, tls: ssl.SSLContext) -> None:
        self._door = door
        self._post = post
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="pretend street", daemon=True)
        self._servers: list[asyncio.Server] = []

    @property
    def proxy_port(self) -> int:
        """The front door's port."""
        return self._port(0)

    @property
    def smtp_port(self) -> int:
        """The post office's port."""
        return self._port(1)

    def _port(self, place: int) -> int:
        port: int = self._servers[place].sockets[0].getsockname()[1]
        return port

    def start(self) -> None:
        """Open both on ports of the kernel's choice."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()

    def stop(self) -> None:
        """Cut every conversation, and return when the thread has ended."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _open(self) -> None:
        def connection() -> asyncio.BaseProtocol:
            return self._post.connection(self._tls, self._loop)

        self._servers = [
            await asyncio.start_server(self._door.serve, LOOPBACK, 0),
            await self._loop.create_server(connection, LOOPBACK, 0),
        ]

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        self._door.close()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            _, waiting = await asyncio.wait(others, timeout=CLOSING_S)
            for task in waiting:  # a mail client that never said QUIT
                task.cancel()
