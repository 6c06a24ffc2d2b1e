"""One run's connections to Kraken: bounded in time and size, never redirected, never on plain trust."""

import contextlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

from smartcharge import __version__
from smartcharge.adapters._kraken_account import SERVICE
from smartcharge.errors import Throttled, Unreachable

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

TIMEOUT_SECONDS: Final = (5.0, 10.0)
"""To connect, and for each read; the run's share is the caller's."""
MOST_BYTES: Final = 2 * 1024 * 1024
CHUNK_BYTES: Final = 16 * 1024
LONGEST_PATIENCE: Final = timedelta(hours=1)
TOO_MANY, REDIRECTS, BROKEN = 429, range(300, 400), 500


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer. body: its JSON object, None where it is none; shape: what it was instead, for people."""

    host: str
    status: int
    body: Mapping[str, object] | None
    shape: str = "an object"
    retry_after: timedelta | None = None

    def refuse_if_unwell(self) -> None:
        """Raise `Throttled` for HTTP 429, `Unreachable` for 5xx and redirections."""
        if self.status == TOO_MANY:
            raise self.throttled("asks for patience (HTTP 429)")
        if self.status >= BROKEN or self.status in REDIRECTS:
            raise self.nonsense()

    def nonsense(self) -> Unreachable:
        """The error for an answer that is none."""
        return Unreachable(f"the answer of {self.host} was {self.shape} (HTTP {self.status})", service=SERVICE)

    def blocked(self) -> Throttled:
        """The error for a page of the network's edge: it is passing, and asking more makes it worse."""
        return self.throttled("turned us away at its gate (HTTP 403)")

    def throttled(self, how: str) -> Throttled:
        """The error for an answer that wants us to wait; `how` continues the host's name."""
        return Throttled(f"{self.host} {how}", retry_after=self.retry_after, service=SERVICE)


class Wire:
    """A context with one session.

    now: the run's instant (UTC), from which waits are counted. count: called for every request.
    """

    def __init__(self, now: datetime, count: Callable[[], None] = lambda: None) -> None:
        self.now = now
        self._count = count

    def __enter__(self) -> Self:
        """Open; nothing is sent yet."""
        import requests

        self._session = requests.Session()
        self._session.headers.update(
            {"User-Agent": f"smartcharge/{__version__}", "Accept": "application/json", "Accept-Encoding": "identity"}
        )
        return self

    def __exit__(self, *_: object) -> None:
        """Close every connection."""
        self._session.close()

    def post_json(self, url: str, content: Mapping[str, object], authorization: str | None = None) -> Reply:
        """Send an object, with the given Authorization header and no other; raises `Unreachable`."""
        headers = {"Content-Type": "application/json"}
        return self._post(url, json.dumps(content).encode(), headers, authorization)

    def post_form(self, url: str, fields: Mapping[str, str]) -> Reply:
        """Send a form; raises `Unreachable`."""
        return self._post(url, fields, {}, None)

    def _post(
        self, url: str, content: bytes | Mapping[str, str], headers: Mapping[str, str], authorization: str | None
    ) -> Reply:
        from requests.exceptions import RequestException
        from urllib3.exceptions import HTTPError

        host = urlsplit(url).hostname or "the address"
        self._count()
        try:
            with self._session.post(
                url,
                data=content,
                headers=headers,
                auth=_signed(authorization),
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
                stream=True,
                verify=trusted(),
            ) as response:
                return self._read(host, response)
        except (RequestException, HTTPError, OSError, ValueError) as error:  # the last for chunks of odd lengths
            reason = type(error).__name__  # texts of these may quote headers and proxies' passwords
        raise Unreachable(f"{host} could not be reached ({reason})", service=SERVICE)

    def _read(self, host: str, response: "Response") -> Reply:
        """Read the body as it comes: packed ones were not asked for, and unpacked they could fill the memory."""
        wait = patience(response.headers.get("Retry-After"), self.now)
        if response.headers.get("Content-Encoding", "identity").lower() not in {"", "identity"}:
            return Reply(host, response.status_code, None, "packed", wait)
        raw = bytearray()
        for chunk in response.raw.stream(CHUNK_BYTES, decode_content=False):
            raw += chunk
            if len(raw) > MOST_BYTES:
                return Reply(host, response.status_code, None, "over 2 MiB long", wait)
        body, shape = parsed(bytes(raw))
        return Reply(host, response.status_code, body, shape, wait)


def _signed(authorization: str | None) -> "Callable[[PreparedRequest], PreparedRequest]":
    """A signature of our own, without which the library would use what ~/.netrc says."""

    def sign(request: "PreparedRequest") -> "PreparedRequest":
        if authorization:
            request.headers["Authorization"] = authorization
        return request

    return sign


def trusted() -> str | bool:
    """The owner's certificate authorities, where named; the library itself ignores SSL_CERT_FILE."""
    named = (os.environ.get(name) for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"))
    return next(filter(None, named), True)


def parsed(raw: bytes) -> tuple[Mapping[str, object] | None, str]:
    """Read a body as a JSON object; else None and what it was."""
    if not raw.strip():
        return None, "empty"
    with contextlib.suppress(ValueError, RecursionError):  # not raised on: their values hold the body
        value: object = json.loads(raw)
        if isinstance(value, dict):
            return value, "an object"
        return None, {list: "a list", type(None): "null"}.get(type(value), "a bare value")
    return None, "not JSON"


def patience(retry_after: str | None, now: datetime) -> timedelta | None:
    """Read a Retry-After header, in seconds or as a date (RFC 9110, 10.2.3); at most an hour, None if unclear."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(float(text), LONGEST_PATIENCE.total_seconds()))
    with contextlib.suppress(ValueError, OverflowError):
        until = parsedate_to_datetime(text)
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
        return max(timedelta(0), min(until - now, LONGEST_PATIENCE))
    return None
