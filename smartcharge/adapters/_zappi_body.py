"""The body of an answer, bounded: pymyenergi reads all of it, and HTTP lets a few kilobytes unpack to gigabytes."""

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

MOST_BYTES = 64 * 1024
"""The record of a Zappi has less than one kilobyte."""


async def take_beginning(response: "httpx.Response") -> None:
    """Read the beginning of an answer's body and let that be all of it, packed as it came.

    Nothing was asked to be packed, so whatever was is no JSON, and neither is what was cut off. Statuses and headers
    count as ever.
    """
    import httpx

    body = bytearray()
    raw: Any = response.aiter_raw(MOST_BYTES)  # a generator, which its type does not say
    async with aclosing(raw) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) >= MOST_BYTES:
                break
    await response.aclose()
    response.headers.pop("Content-Encoding", None)
    response.stream, response.is_stream_consumed, response.is_closed = httpx.ByteStream(bytes(body)), False, False
