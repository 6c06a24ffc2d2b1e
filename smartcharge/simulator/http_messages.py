"""HTTP/1.1 on the wire: what a client asked, what it is told, and in what manner."""

import asyncio
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import parse_qsl, urlsplit

HEAD_END = b"\r\n\r\n"
JSON_HEADER = ("Content-Type", "application/json")
TCP_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
HTML_HEADER = ("Content-Type", "text/html; charset=utf-8")


class Delivery(Enum):
    """How a reply travels: at once, a byte at a time, never, or as a cut connection."""

    WHOLE = "whole"
    DRIP = "drip"
    HANG = "hang"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request as it arrived; header names in lower case.

    arrived_s: seconds of the server's monotonic clock, for rules about real milliseconds.
    """

    method: str
    host: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    arrived_s: float = 0.0

    def fields(self) -> dict[str, object]:
        """The body's fields, sent as JSON object or as a form; empty for anything else."""
        if "json" not in self.headers.get("content-type", ""):
            return dict(parse_qsl(self.body.decode("utf-8", "replace")))
        try:
            read = json.loads(self.body)
        except ValueError:
            return {}
        return read if isinstance(read, dict) else {}


@dataclass(frozen=True, slots=True)
class HttpReply:
    """One answer, and the manner of its delivery.

    padding_bytes: so many bytes follow the body; they are generated while they are sent, never held in memory.
    """

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    delivery: Delivery = Delivery.WHOLE
    padding_bytes: int = 0


def json_reply(value: object, status: int = 200, *headers: tuple[str, str]) -> HttpReply:
    """Answer with a JSON document."""
    return HttpReply(status, json.dumps(value, separators=(",", ":")).encode(), (JSON_HEADER, *headers))


def html_reply(status: int, title: str, *headers: tuple[str, str]) -> HttpReply:
    """Answer with the kind of page a gateway puts in front of an API."""
    page = f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
    return HttpReply(status, page.encode(), (HTML_HEADER, *headers))


def send_quick_ack(writer: asyncio.StreamWriter) -> None:
    """Tell the client at once that its bytes have come.

    urllib3 leaves Nagle's algorithm on towards proxies: what it sends next waits for this, and Linux
    would delay it by 40 ms.
    """
    sock = writer.get_extra_info("socket")
    if TCP_QUICKACK is not None and sock is not None:
        sock.setsockopt(socket.IPPROTO_TCP, TCP_QUICKACK, 1)


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> HttpRequest | None:
    """Read the next request of a connection; None where the client has gone."""
    try:
        head = (await reader.readuntil(HEAD_END)).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", "0"))
    if length:
        send_quick_ack(writer)
    body = await reader.readexactly(length)
    parts = urlsplit(target) if method != "CONNECT" else None
    return HttpRequest(
        method,
        host,
        parts.path if parts else target,
        parts.query if parts else "",
        headers,
        body,
        asyncio.get_running_loop().time(),
    )


def encode_reply(reply: HttpReply) -> bytes:
    """Put a reply into bytes as HTTP/1.1 wants them, without its padding."""
    lines = [f"HTTP/1.1 {reply.status} {'OK' if reply.status < 400 else 'Refused'}"]  # noqa: PLR2004 - HTTP's own line
    lines += [f"{name}: {value}" for name, value in reply.headers]
    lines.append(f"Content-Length: {len(reply.body) + reply.padding_bytes}")
    return "\r\n".join(lines).encode("latin-1") + HEAD_END + reply.body
