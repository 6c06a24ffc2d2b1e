"""The myenergi hub: one read-only question about all Zappis, over the unmodified pymyenergi.

The library's exceptions do not tell a wrong key from an outage: any answer without its server header
becomes `WrongCredentials`, a dead director becomes `TypeError`. So the statuses are heard by the HTTP
client, which is ours, and the words are made from those.
"""

import asyncio
import contextlib
import re
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar

from smartcharge.adapters._zappi_body import take_beginning
from smartcharge.core.answers import ChargerReading
from smartcharge.core.charging import error_status, judge, judge_each
from smartcharge.core.model import ChargerState
from smartcharge.errors import ConfigurationRefused, SignInRefused, Throttled, Trouble, Unreachable

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
SERVICE = "zappi"
QUESTION = "/cgi-jstatus-Z"
"""All Zappis and nothing else: one malformed other device would spoil the answer for the whole account."""
PATIENCE_SECONDS = 9.0
HOST = re.compile(r"(?:[a-z0-9-]+\.)+myenergi\.net(?::[0-9]{1,5})?")
KEY_MEND = "Check myenergi.hub_serial and myenergi.api_key."
REFUSALS = frozenset({-1, -12, -13, -15, -19})
"""Wrong id, not authorised, unknown serial, wrong key, not registered. Source: https://github.com/ashleypittman/mec"""
BUSY = -26
HTTP_OK, HTTP_UNAUTHORISED, HTTP_TOO_MANY = 200, 401, 429
LONGEST_PATIENCE = timedelta(hours=1)


class ZappiCharger:
    """Every Zappi of one hub, or the pinned one.

    threshold_w: from here on power counts as charging. host: the server that answered last, to be
    remembered by the caller: it spares two of four requests; None where the director should be asked.
    patience_seconds: for the whole conversation; half of it for each step of a connection. count: called for every
    request.
    """

    def __init__(
        self,
        *,
        hub_serial: str,
        api_key: str,
        zappi_serial: str | None = None,
        threshold_w: float,
        host: str | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
        count: Callable[[], None] = lambda: None,
    ) -> None:
        self.host = host if host and HOST.fullmatch(host) else None
        self._hub_serial = hub_serial
        self._api_key = api_key
        self._zappi_serial = zappi_serial
        self._threshold_w = threshold_w
        self._patience_seconds = patience_seconds
        self._count = count

    def prepare(self) -> None:
        """Import the library. One that cannot be imported is told by the question, in words."""
        with contextlib.suppress(Exception):
            import pymyenergi.connection  # noqa: F401

    def read(self, now: datetime) -> ChargerReading:
        """Ask once, within the patience: 2 requests with a remembered host, else 4.

        Raises `SignInRefused` where the hub answers 401 (believe it when it comes twice: gateways err),
        `Throttled`, `Unreachable`, and `ConfigurationRefused` where the proxy or certificate variables
        of the environment cannot be used.
        """
        answer = self._answer(now)
        reading = judge(answer, now, threshold_w=self._threshold_w, pinned_serial=self._zappi_serial)
        if reading.state is ChargerState.UNKNOWN:
            self.host = None  # a server that the hub has left goes on serving old records
        return reading

    def read_each(self, now: datetime) -> tuple[ChargerReading, ...]:
        """Ask once, and judge every Zappi of the hub on its own, the pinned one or not; raises as `read` does."""
        return judge_each(self._answer(now), now, threshold_w=self._threshold_w)

    def _answer(self, now: datetime) -> object:
        try:
            answer = _finished(self._converse(now))
            _refuse_errors(answer)
        except Throttled:
            raise  # looking for the server anew would only add to what is too much already
        except BaseException:  # an alarm, too
            self.host = None
            raise
        return answer

    async def _converse(self, now: datetime) -> object:
        heard: list[httpx.Response] = []
        async with _client(heard, self._count) as client:
            try:
                return await asyncio.wait_for(self._ask(client), self._patience_seconds)
            except Exception as odd:
                raise _trouble(odd, heard, now) from odd

    async def _ask(self, client: "httpx.AsyncClient") -> object:
        import httpx
        from pymyenergi.connection import Connection

        library: Any = Connection  # says less than it takes
        step_seconds = self._patience_seconds / 2
        connection = library(self._hub_serial, self._api_key, timeout=step_seconds, asyncClient=client)
        if self.host:
            connection.base_url = f"https://{self.host}"
            connection.do_query_asn = False
        try:
            answer = await connection.get(QUESTION)
        except (httpx.NetworkError, httpx.ProxyError, httpx.RemoteProtocolError, httpx.ConnectTimeout):
            if not self.host:
                raise
            connection.base_url = None
            answer = await connection.get(QUESTION)
        self.host = _host(connection.base_url)
        return answer


def _client(heard: "list[httpx.Response]", count: Callable[[], None]) -> "httpx.AsyncClient":
    """A client of our own for one conversation: it notes requests and answers, and knows nobody but myenergi."""
    try:
        import httpx
        import pymyenergi.connection  # noqa: F401 - builds a client from the environment as it is imported

        async def hear(response: httpx.Response) -> None:
            heard.append(response)
            await take_beginning(response)

        async def note(_request: httpx.Request) -> None:
            count()

        hooks: dict[str, list[Any]] = {"request": [_only_myenergi, note], "response": [hear]}
        return httpx.AsyncClient(headers={"Accept-Encoding": "identity"}, event_hooks=hooks)
    except Exception as odd:
        raise ConfigurationRefused(
            f"does not let a connection begin ({type(odd).__name__})",
            place="environment",
            right="Check HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR.",
        ) from odd


async def _only_myenergi(request: "httpx.Request") -> None:
    """Answer no challenge of a stranger, whatever server an answer names."""
    import httpx

    if not HOST.fullmatch(request.url.netloc.decode("ascii")):
        raise httpx.ConnectError("this server is not myenergi's", request=request)


def _host(base_url: str) -> str | None:
    """The server that the last answer named, where it is a plain name of myenergi's own."""
    named = base_url.removeprefix("https://").lower()
    return named if HOST.fullmatch(named) else None


def _finished(conversation: Coroutine[object, object, T]) -> T:
    """Run a conversation in a loop that is left at once.

    `asyncio.run` would wait for a name look-up that hangs in its worker thread.
    """
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(conversation)
    finally:
        try:
            _call_off(loop)
        finally:
            loop.close()


def _call_off(loop: asyncio.AbstractEventLoop) -> None:
    """Let what an alarm has interrupted close its connections."""
    unfinished = asyncio.all_tasks(loop)
    for task in unfinished:
        task.cancel()
    if unfinished:
        loop.run_until_complete(asyncio.wait(unfinished))


def _refuse_errors(answer: object) -> None:
    """Raise where HTTP 200 carries an error number instead of records."""
    status = error_status(answer)
    if status in REFUSALS:
        raise SignInRefused(
            f"myenergi refuses the hub's serial or key (error {status})", hint=KEY_MEND, service=SERVICE
        )
    if status == BUSY:
        raise Unreachable("myenergi is busy with a command to the charger", service=SERVICE)
    if status is not None:
        raise Unreachable(f"myenergi answered with error {status}", service=SERVICE)


def _trouble(odd: Exception, heard: "list[httpx.Response]", now: datetime) -> Trouble:
    """What an exception of the library means, judged by the answer that it followed."""
    import httpx
    from pymyenergi.exceptions import MyenergiException, TimeoutException

    if isinstance(odd, TimeoutError | TimeoutException | httpx.TimeoutException):
        return Unreachable("myenergi did not answer in time", service=SERVICE)
    if isinstance(odd, MyenergiException) and heard:
        return _refusal(heard[-1], now)
    if isinstance(odd, httpx.TransportError):
        return Unreachable(f"myenergi could not be reached ({type(odd).__name__})", service=SERVICE)
    if isinstance(odd, ValueError | RecursionError):
        return Unreachable("myenergi answered with something that is not JSON", service=SERVICE)
    return Unreachable("myenergi's director could not be reached", service=SERVICE)


def _refusal(answer: "httpx.Response", now: datetime) -> Trouble:
    status = answer.status_code
    if status == HTTP_UNAUTHORISED:
        return SignInRefused("myenergi refuses the hub's serial or key (HTTP 401)", hint=KEY_MEND, service=SERVICE)
    if status == HTTP_TOO_MANY:
        wait = _retry_after(answer.headers.get("Retry-After", ""), now)
        return Throttled("myenergi asks for patience (HTTP 429)", retry_after=wait, service=SERVICE)
    if status == HTTP_OK:
        return Unreachable("an answer named no myenergi server", hint=f"If this stays: {KEY_MEND}", service=SERVICE)
    return Unreachable(f"myenergi answered HTTP {status}", service=SERVICE)


def _retry_after(text: str, now: datetime) -> timedelta | None:
    """Read Retry-After, seconds or a date (RFC 9110, 10.2.3); at most an hour, None where it is neither."""
    if re.fullmatch(r"[0-9]{1,6}", text.strip()):
        return min(timedelta(seconds=int(text)), LONGEST_PATIENCE)
    try:
        until = parsedate_to_datetime(text)
        return max(min(until.replace(tzinfo=until.tzinfo or UTC) - now, LONGEST_PATIENCE), timedelta(0))
    except (ValueError, OverflowError):
        return None
