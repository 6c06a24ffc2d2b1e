"""The street's front door: a CONNECT proxy that ends TLS itself and passes requests on by host name.

One hop, one thread, one event loop: a day of 1,440 ticks is played against it in seconds.
"""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from smartcharge.world.wire import Asked, Manner, Reply, acknowledge, html_reply, read_asked, rendered

DRIP_S = 0.5

Answer = Callable[[Asked], Reply]
"""Answers a request; synchronous, because the street has nothing to wait for."""


class FrontDoor:
    """Serves the named hosts, refuses and remembers all others, so that nothing leaves the loopback.

    refused: the hosts that were asked for in vain.  drip_s: real seconds between the bytes of a drip.
    """

    def __init__(self, tls: ssl.SSLContext, hosts: dict[str, Answer]) -> None:
        self.refused: list[str] = []
        self.drip_s = DRIP_S
        self._tls = tls
        self._hosts = hosts
        self._open: set[asyncio.StreamWriter] = set()

    def close(self) -> None:
        """Cut every conversation; each then ends by itself."""
        for writer in self._open:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one client from CONNECT to its leaving."""
        self._open.add(writer)
        # A client may leave at any moment, in mid-handshake too; that is its right and no news.
        with suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            if host := await self._admitted(reader, writer):
                await writer.start_tls(self._tls)
                acknowledge(writer)
                await self._converse(reader, writer, host)
        writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()
        self._open.discard(writer)

    async def _admitted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str | None:
        asked = await read_asked(reader, writer, "")
        if asked is None:
            return None
        host = asked.path.rpartition(":")[0] if asked.method == "CONNECT" else asked.headers.get("host", "")
        if asked.method == "CONNECT" and host in self._hosts:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await writer.drain()
            return host
        self.refused.append(host)
        writer.write(rendered(html_reply(403, "Not in this street")))
        await writer.drain()
        return None

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
        while (asked := await read_asked(reader, writer, host)) is not None:
            reply = self._hosts[host](asked)
            if reply.manner is Manner.DROP:
                writer.transport.abort()
                return
            if reply.manner is Manner.HANG:
                await reader.read()  # until the client loses patience
                return
            await self._deliver(writer, reply)

    async def _deliver(self, writer: asyncio.StreamWriter, reply: Reply) -> None:
        whole = rendered(replace(reply, manner=Manner.WHOLE))
        if reply.manner is Manner.WHOLE:
            writer.write(whole)
            await writer.drain()
            return
        for place in range(len(whole)):
            writer.write(whole[place : place + 1])
            await writer.drain()
            await asyncio.sleep(self.drip_s)
