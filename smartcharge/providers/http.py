"""HTTP within limits: our own client, and what the HTTP libraries of vendors are held to."""

import contextlib
import json
import os
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

from smartcharge import __version__
from smartcharge.errors import ThrottledError, UnreachableError
from smartcharge.providers.connection import use_happy_eyeballs

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS = 5.0, 10.0
"""For each connection and for each read; a time limit around the conversation limits the whole."""
MAX_RESPONSE_BYTES: Final = 4 * 1024 * 1024
"""Unpacked; a Powerwall's or a supplier's answer has some kilobytes."""
TOO_LARGE_TEXT: Final = "answer larger than 4 MB"
READ_CHUNK_BYTES: Final = 16 * 1024
MAX_RETRY_AFTER: Final = timedelta(hours=1)
HTTP_SUCCESS, HTTP_REDIRECTS = range(200, 300), range(300, 400)
HTTP_TOO_MANY_REQUESTS, HTTP_SERVER_ERROR = 429, 500
CA_BUNDLE_VARIABLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An HTTP answer. body: its JSON object, None where it is none; shape: what it was instead, for people.

    service: whose answer it is, for errors. retry_after: how long the server asks to wait.
    """

    service: str
    host: str
    status: int
    body: Mapping[str, object] | None
    shape: str = "an object"
    retry_after: timedelta | None = None

    def raise_for_status(self) -> None:
        """Raise `ThrottledError` for HTTP 429, `UnreachableError` for 5xx and redirections."""
        if self.status == HTTP_TOO_MANY_REQUESTS:
            raise self.throttled("asks us to wait (HTTP 429)")
        if self.status >= HTTP_SERVER_ERROR or self.status in HTTP_REDIRECTS:
            raise self.unusable_error()

    def unusable_error(self) -> UnreachableError:
        """The error for an answer that cannot be used."""
        return UnreachableError(
            f"the answer of {self.host} was {self.shape} (HTTP {self.status})", service=self.service
        )

    def blocked_error(self) -> ThrottledError:
        """The error for a 403 of the network's edge (a firewall): it passes, and asking more makes it worse."""
        return self.throttled("blocks our requests for now (HTTP 403)")

    def throttled(self, how: str) -> ThrottledError:
        """The error for an answer that wants us to wait; `how` continues the host's name."""
        return ThrottledError(f"{self.host} {how}", retry_after=self.retry_after, service=self.service)


class HttpClient:
    """A context with one session: limited in time and size, never redirected, only trusted certificates.

    now: the run's instant (UTC), from which waits are counted. service: whose server it is, for errors. count: called
    for every request. server_time: what the last answer said the time was (UTC), None where it did not.
    """

    def __init__(self, now: datetime, service: str, count: Callable[[], None] = lambda: None) -> None:
        self.now = now
        self._service = service
        self._count = count
        self.server_time: datetime | None = None

    def __enter__(self) -> Self:
        """Open the session; nothing is sent yet."""
        import requests

        limit_http_libraries()
        self._session = requests.Session()
        self._session.headers.update(
            {"User-Agent": f"smartcharge/{__version__}", "Accept": "application/json", "Accept-Encoding": "identity"}
        )
        return self

    def __exit__(self, *_: object) -> None:
        """Close every connection."""
        self._session.close()

    def post_json(self, url: str, content: Mapping[str, object], authorization: str | None = None) -> HttpResponse:
        """Send an object, with the given Authorization header and no other; raises `UnreachableError`."""
        headers = {"Content-Type": "application/json"}
        return self._post(url, json.dumps(content).encode(), headers, authorization)

    def post_form(self, url: str, fields: Mapping[str, str]) -> HttpResponse:
        """Send a form; raises `UnreachableError`."""
        return self._post(url, fields, {}, None)

    def _post(
        self, url: str, content: bytes | Mapping[str, str], headers: Mapping[str, str], authorization: str | None
    ) -> HttpResponse:
        from requests.exceptions import RequestException
        from urllib3.exceptions import HTTPError

        host = urlsplit(url).hostname or "the address"
        self._count()
        try:
            with self._session.post(
                url,
                data=content,
                headers=headers,
                auth=_authorization_header(authorization),
                timeout=(CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS),
                allow_redirects=False,
                stream=True,
                verify=ca_bundle(),
            ) as response:
                return self._read(host, response)
        except (RequestException, HTTPError, OSError, ValueError) as error:  # the last for chunks of odd lengths
            reason = type(error).__name__  # texts of these may quote headers and proxies' passwords
        raise UnreachableError(f"{host} could not be reached ({reason})", service=self._service)

    def _read(self, host: str, response: "Response") -> HttpResponse:
        """Read the body in chunks; a packed one was not asked for, and could fill the memory when unpacked."""
        wait = parse_retry_after(response.headers.get("Retry-After"), self.now)
        self.server_time = parse_http_date(response.headers.get("Date"))
        status = response.status_code
        if response.headers.get("Content-Encoding", "identity").lower() not in {"", "identity"}:
            return HttpResponse(self._service, host, status, None, "packed", wait)
        raw = bytearray()
        for chunk in response.raw.stream(READ_CHUNK_BYTES, decode_content=False):
            raw += chunk
            if len(raw) > MAX_RESPONSE_BYTES:
                return HttpResponse(self._service, host, status, None, "larger than 4 MB", wait)
        body, shape = parse_json_body(bytes(raw))
        return HttpResponse(self._service, host, status, body, shape, wait)


def _authorization_header(authorization: str | None) -> "Callable[[PreparedRequest], PreparedRequest]":
    """An authentication of our own; without one the library would use ~/.netrc."""

    def sign(request: "PreparedRequest") -> "PreparedRequest":
        if authorization:
            request.headers["Authorization"] = authorization
        return request

    return sign


def ca_bundle() -> str | bool:
    """The owner's certificate authorities, where an environment variable names them; requests ignores SSL_CERT_FILE."""
    return next(filter(None, map(os.environ.get, CA_BUNDLE_VARIABLES)), True)


def parse_json_body(raw: bytes) -> tuple[Mapping[str, object] | None, str]:
    """Parse a body as a JSON object; else give None and what it was."""
    if not raw.strip():
        return None, "empty"
    with contextlib.suppress(ValueError, RecursionError):  # not raised on: their values hold the body
        value: object = json.loads(raw)
        if isinstance(value, dict):
            return value, "an object"
        return None, {list: "a list", type(None): "null"}.get(type(value), "a bare value")
    return None, "not JSON"


def parse_retry_after(text: str | None, now: datetime | None) -> timedelta | None:
    """Parse a Retry-After header, in seconds or as a date (RFC 9110, 10.2.3); at most an hour, None if unclear.

    now (UTC): None where the instant is not known; then a date is unclear.
    """
    text = (text or "").strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(float(text[:10]), MAX_RETRY_AFTER.total_seconds()))
    if now is None:
        return None
    until = _parse_date(text)
    return None if until is None else max(timedelta(0), min(until - now, MAX_RETRY_AFTER))


def parse_http_date(text: str | None) -> datetime | None:
    """Parse a date of HTTP (RFC 9110, 5.6.7) as UTC; None where there is none, or it is none."""
    moment = _parse_date(text)
    with contextlib.suppress(OverflowError):
        return None if moment is None else moment.astimezone(UTC)
    return None


def _parse_date(text: str | None) -> datetime | None:
    with contextlib.suppress(ValueError, OverflowError):
        moment = parsedate_to_datetime(text or "")
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None


_server_times: list[datetime] = []
"""What the newest answer of a limited HTTP library said the time was (UTC), until that is taken."""


def take_server_time() -> datetime | None:
    """Take what the newest answer since the last call said the time was (UTC); None where none said it."""
    return _server_times.pop() if _server_times else None


def _note_server_time(date: str | None) -> None:
    server_time = parse_http_date(date)
    if server_time is not None:
        _server_times[:] = [server_time]


def limit_http_libraries() -> None:
    """Hold the HTTP libraries that are loaded to our limits, whoever uses them; call it after importing one.

    Connections: see `use_happy_eyeballs`. Answers: cut off at `MAX_RESPONSE_BYTES`, also when they are unpacked.
    """
    use_happy_eyeballs()
    if adapters := sys.modules.get("requests.adapters"):
        _limit_requests(adapters)
    if httpx := sys.modules.get("httpx"):
        _limit_httpx(httpx)


def _limit_requests(adapters: Any) -> None:  # noqa: ANN401  # a module
    send = adapters.HTTPAdapter.send
    if getattr(send, "is_limited", False):
        return

    def limited_send(self: object, request: object, stream: bool = False, **settings: object) -> object:  # noqa: FBT001, FBT002
        response = send(self, request, stream=stream, **settings)
        _note_server_time(response.headers.get("Date"))
        if not stream:  # else whoever asked reads the body
            _read_limited(response)
        return response

    limited_send.is_limited = True  # type: ignore[attr-defined]
    adapters.HTTPAdapter.send = limited_send


def _read_limited(response: Any) -> None:  # noqa: ANN401
    """Read the body of an answer of requests, as its `content` would, but no further than the limit."""
    from requests.exceptions import ContentDecodingError

    body = bytearray()
    for chunk in response.iter_content(READ_CHUNK_BYTES):
        body += chunk
        if len(body) > MAX_RESPONSE_BYTES:
            response.close()
            raise ContentDecodingError(TOO_LARGE_TEXT, response=response)
    response._content, response._content_consumed = bytes(body), True  # noqa: SLF001  # as `content` does


def _limit_httpx(httpx: Any) -> None:  # noqa: ANN401  # a module
    handle_request = httpx.HTTPTransport.handle_request
    if getattr(handle_request, "is_limited", False):
        return

    class LimitedStream(httpx.SyncByteStream):  # type: ignore[misc]
        def __init__(self, stream: Any, encoding: str) -> None:  # noqa: ANN401
            self._stream = stream
            self._encoding = encoding

        def __iter__(self) -> Iterator[bytes]:
            total = 0
            for chunk in unpack_chunks(self._stream, self._encoding):
                total += len(chunk)
                if total > MAX_RESPONSE_BYTES:
                    raise httpx.DecodingError(TOO_LARGE_TEXT)
                yield chunk

        def close(self) -> None:
            self._stream.close()

    def limited_handle_request(self: object, request: object) -> object:
        response = handle_request(self, request)
        _note_server_time(response.headers.get("Date"))
        encoding = response.headers.pop("Content-Encoding", "").lower()
        response.stream = LimitedStream(response.stream, encoding)
        return response

    limited_handle_request.is_limited = True  # type: ignore[attr-defined]
    httpx.HTTPTransport.handle_request = limited_handle_request


def unpack_chunks(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Unpack gzip and deflate in pieces of at most `READ_CHUNK_BYTES`; anything else stays as it is."""
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        yield from chunks
        return
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, as the header says
    for chunk in chunks:
        left = chunk
        while left and not unpacker.eof:
            yield unpacker.decompress(left, READ_CHUNK_BYTES)
            left = unpacker.unconsumed_tail
