"""The myenergi hub: one read-only question about all Zappis, over the unmodified pymyenergi.

The library's exceptions do not tell a wrong key from an outage: any answer without its server header
becomes `WrongCredentials`, a dead director becomes `TypeError`. So the statuses are recorded by the HTTP
client, which is ours, and the errors are made from those.
"""

import asyncio
import contextlib
import math
import re
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct

from smartcharge.deadline import service_boundary
from smartcharge.errors import AppError, ConfigurationError, SignInRefusedError, ThrottledError, UnreachableError
from smartcharge.policy.model import ChargerReading, ChargerState
from smartcharge.providers.http import parse_retry_after

if TYPE_CHECKING:
    import httpx


MAX_HUB_RESPONSE_BYTES = 64 * 1024
"""The record of a Zappi has less than one kilobyte."""


async def truncate_body(response: "httpx.Response") -> None:
    """Read the beginning of an answer's body and let that be all of it, packed as it came.

    Nothing was asked to be packed, so whatever was is no JSON, and neither is what was cut off. Statuses and headers
    count as ever.
    """
    import httpx

    body = bytearray()
    raw: Any = response.aiter_raw(MAX_HUB_RESPONSE_BYTES)  # a generator, which its type does not say
    async with aclosing(raw) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) >= MAX_HUB_RESPONSE_BYTES:
                break
    await response.aclose()
    response.headers.pop("Content-Encoding", None)
    response.stream, response.is_stream_consumed, response.is_closed = httpx.ByteStream(bytes(body)), False, False


MAX_RECORD_AGE = timedelta(seconds=300)
"""A live charger reports about once a second; older records are served without any error."""
MAX_RECORD_CLOCK_LEAD = timedelta(minutes=65)
"""Stamps are UTC; should a firmware send British local time, its summer stamps lie an hour ahead."""
CHARGING_PILOT_STATES = frozenset({"C1", "C2", "D1", "D2"})
"""Pilot states of IEC 61851 in which the car has asked for power; D is C with ventilation."""
MODE_ECO_PLUS, STATUS_BOOSTING, BOOST_ACTIVE = 3, 4, 1
"""Values of `zmo`, `sta` and `bst`. In Eco+ without a boost a Zappi takes surplus solar power only."""
CLAMP_NUMBERS = range(1, 7)
INTERNAL_CLAMP_NAME = "Internal Load"
MAX_SERIAL_NUMBER = 10**12
SERIAL_PATTERN = re.compile(r"[0-9A-Za-z-]{1,20}")
PILOT_PATTERN = re.compile(r"[A-Z][0-9]?")
MAX_PLAUSIBLE_VALUE = 1e6
"""Beyond this a number is no watts and no kilowatt hours, whatever it is."""


class _RecordResult(Struct, frozen=True):
    """What one Zappi's record says; watts only where they prove something."""

    state: ChargerState
    why: str
    watts: float | None = None


def parse_reading(answer: object, now: datetime, *, threshold_w: float, pinned_serial: str | None) -> ChargerReading:
    """What the decoded answer to `/cgi-jstatus-Z` says about the car, whatever that answer is.

    Any Zappi that charges wins, then any that is unknown. threshold_w: from here on power counts as
    charging. pinned_serial: the one Zappi to look at; None for all. Never raises.
    """
    records = [each for each in _zappi_records(answer) if pinned_serial in (None, _parse_serial(each))]
    if not records:
        return ChargerReading(ChargerState.UNKNOWN, now, why=_no_zappi_message(answer, pinned_serial))
    verdicts = [_parse_record(each, now, threshold_w) for each in records]
    state = _combine_states([verdict.state for verdict in verdicts])
    return ChargerReading(
        state,
        now,
        watts=None if state is ChargerState.UNKNOWN else sum(each.watts or 0.0 for each in verdicts),
        why=next(verdict.why for verdict in verdicts if verdict.state is state),
        session_kwh=_sum_known([_parse_number(each.get("che")) for each in records]),
        serials=tuple(serial for each in records if (serial := _parse_serial(each))),
        solar_only=_charges_from_solar_only(records, verdicts),
    )


def parse_each_reading(answer: object, now: datetime, *, threshold_w: float) -> tuple[ChargerReading, ...]:
    """What the same answer says of every Zappi on its own; none where it holds no Zappi. Never raises."""
    return tuple(
        parse_reading({"zappi": [record]}, now, threshold_w=threshold_w, pinned_serial=None)
        for record in _zappi_records(answer)
    )


def parse_error_status(answer: object) -> int | None:
    """The error number of an answer that is a status object, as a number or as text; None where it is none.

    0 means no error. Source: https://github.com/ashleypittman/mec
    """
    status = answer.get("status") if isinstance(answer, Mapping) else None
    if isinstance(status, str) and re.fullmatch(r"-?[0-9]{1,4}", status):
        status = int(status)
    return status if isinstance(status, int) and not isinstance(status, bool) and status != 0 else None


def _zappi_records(answer: object) -> list[Mapping[str, object]]:
    group = answer.get("zappi") if isinstance(answer, Mapping) else None
    return [each if isinstance(each, Mapping) else {} for each in group] if isinstance(group, list) else []


def _parse_serial(record: Mapping[str, object]) -> str:
    serial = record.get("sno")
    if isinstance(serial, int) and not isinstance(serial, bool):
        return str(serial) if 0 < serial < MAX_SERIAL_NUMBER else ""
    return serial if isinstance(serial, str) and SERIAL_PATTERN.fullmatch(serial) else ""


def _no_zappi_message(answer: object, pinned_serial: str | None) -> str:
    if status := parse_error_status(answer):
        return f"the hub answered with error {status}"
    return (
        f"no Zappi {pinned_serial} in the answer"
        if pinned_serial and _zappi_records(answer)
        else "no Zappi in the answer"
    )


def _combine_states(states: Sequence[ChargerState]) -> ChargerState:
    return next(each for each in (ChargerState.CHARGING, ChargerState.UNKNOWN, ChargerState.IDLE) if each in states)


def _parse_record(record: Mapping[str, object], now: datetime, threshold_w: float) -> _RecordResult:
    if doubt := _record_age_problem(record, now):
        return _RecordResult(ChargerState.UNKNOWN, doubt)
    watts = _charging_power_w(record)
    if watts is None:
        return _RecordResult(ChargerState.UNKNOWN, "record without a usable power")
    if watts <= -threshold_w:
        return _RecordResult(ChargerState.UNKNOWN, f"{watts:,.0f} W flow out of the car")
    pilot = record.get("pst")
    known = pilot if isinstance(pilot, str) and PILOT_PATTERN.fullmatch(pilot) else "?"
    found = f"{watts:,.0f} W, pilot {known}"
    into_car_w = max(watts, 0.0)
    if watts < threshold_w:
        return _RecordResult(ChargerState.IDLE, found, into_car_w)
    if known in CHARGING_PILOT_STATES:
        return _RecordResult(ChargerState.CHARGING, found, into_car_w)
    return _RecordResult(ChargerState.UNKNOWN, f"{found}: contradictory")


def _charges_from_solar_only(records: Sequence[Mapping[str, object]], verdicts: Sequence[_RecordResult]) -> bool:
    """Whether a Zappi charges, and every one that does is in the mode Eco+ without a boost.

    The grid reading cannot decide this: a Powerwall that charges imports as well. Values: docs of the myenergi API,
    https://github.com/twonk/MyEnergi-App-Api
    """
    charging = [each for each, verdict in zip(records, verdicts, strict=True) if verdict.state is ChargerState.CHARGING]
    return bool(charging) and all(
        each.get("zmo") == MODE_ECO_PLUS and each.get("sta") != STATUS_BOOSTING and each.get("bst") != BOOST_ACTIVE
        for each in charging
    )


def _record_age_problem(record: Mapping[str, object], now: datetime) -> str | None:
    """Why the record's own stamp makes it no evidence; None where it is fresh."""
    taken_at = _parse_taken_at(record.get("dat"), record.get("tim"))
    if taken_at is None:
        return "record without a readable time"
    age = now - taken_at
    if age > MAX_RECORD_AGE:
        return f"record is {_format_age(age)} old"
    return f"record is {_format_age(-age)} ahead of the clock" if -age > MAX_RECORD_CLOCK_LEAD else None


def _parse_taken_at(day: object, time: object) -> datetime | None:
    if not (isinstance(day, str) and isinstance(time, str)):
        return None
    try:
        return datetime.strptime(f"{day} {time}", "%d-%m-%Y %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _format_age(span: timedelta) -> str:
    minutes = span // timedelta(minutes=1)
    if minutes < 120:  # noqa: PLR2004 - two hours read better in minutes, as two days do in hours
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h" if hours < 48 else f"{hours // 24} days"  # noqa: PLR2004


def _charging_power_w(record: Mapping[str, object]) -> float | None:
    """The larger of what the built-in clamps and `div` show, of those there; None unless all of it is numbers.

    Older firmware leaves zeros out, so a clamp that is named but has no figure shows 0
    (https://github.com/twonk/MyEnergi-App-Api).
    """
    clamps = list(_internal_clamp_powers(record))
    sources = [_sum_known(clamps) if None not in clamps else None] if clamps else []
    if "div" in record:
        sources.append(_parse_number(record["div"]))
    numbers = [each for each in sources if each is not None]
    return max(numbers) if numbers and len(numbers) == len(sources) else None


def _internal_clamp_powers(record: Mapping[str, object]) -> Iterator[float | None]:
    for place in CLAMP_NUMBERS:
        if record.get(f"ectt{place}") == INTERNAL_CLAMP_NAME:
            yield _parse_number(record.get(f"ectp{place}", 0))


def _sum_known(numbers: Sequence[float | None]) -> float | None:
    present = [each for each in numbers if each is not None]
    return math.fsum(present) if present else None


def _parse_number(value: object) -> float | None:
    """A figure as JSON should hold it: no text, no boolean, finite and of a believable size."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if -MAX_PLAUSIBLE_VALUE < value < MAX_PLAUSIBLE_VALUE else None


T = TypeVar("T")
ZAPPI_SERVICE, ZAPPI_LABEL = "zappi", "myenergi"
ZAPPI_STATUS_PATH = "/cgi-jstatus-Z"
"""All Zappis and nothing else: one malformed other device would spoil the answer for the whole account."""
ZAPPI_TIMEOUT_SECONDS = 9.0
MYENERGI_HOST_PATTERN = re.compile(r"(?:[a-z0-9-]+\.)+myenergi\.net(?::[0-9]{1,5})?")
HUB_CREDENTIALS_FIX = "Check myenergi.hub_serial and myenergi.api_key."
SIGN_IN_ERROR_NUMBERS = frozenset({-1, -12, -13, -15, -19})
"""Wrong id, not authorised, unknown serial, wrong key, not registered. Source: https://github.com/ashleypittman/mec"""
HUB_BUSY_ERROR_NUMBER = -26
HTTP_OK, HTTP_UNAUTHORISED, HTTP_TOO_MANY_REQUESTS = 200, 401, 429


class ZappiCharger:
    """Every Zappi of one hub, or the pinned one.

    threshold_w: from here on power counts as charging. host: the server that answered last, to be
    remembered by the caller: it spares two of four requests; None where the director should be asked.
    timeout_seconds: for the whole session; half of it for each step of a connection. count: called for every
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
        timeout_seconds: float = ZAPPI_TIMEOUT_SECONDS,
        count: Callable[[], None] = lambda: None,
    ) -> None:
        self.host = host if host and MYENERGI_HOST_PATTERN.fullmatch(host) else None
        self._hub_serial = hub_serial
        self._api_key = api_key
        self._zappi_serial = zappi_serial
        self._threshold_w = threshold_w
        self._timeout_seconds = timeout_seconds
        self._count = count

    def prepare(self) -> None:
        """Import the library. One that cannot be imported is told by the question, in words."""
        with contextlib.suppress(AppError), service_boundary(ZAPPI_SERVICE, ZAPPI_LABEL):
            import pymyenergi.connection  # noqa: F401

    def read(self, now: datetime) -> ChargerReading:
        """Ask once, within the time-out: 2 requests with a remembered host, else 4.

        Raises `SignInRefusedError` where the hub answers 401 (believe it when it comes twice: gateways err),
        `ThrottledError`, `UnreachableError`, and `ConfigurationError` where the proxy or certificate variables
        of the environment cannot be used.
        """
        answer = self._answer(now)
        reading = parse_reading(answer, now, threshold_w=self._threshold_w, pinned_serial=self._zappi_serial)
        if reading.state is ChargerState.UNKNOWN:
            self.host = None  # a server that the hub has left goes on serving old records
        return reading

    def read_each(self, now: datetime) -> tuple[ChargerReading, ...]:
        """Ask once, and judge every Zappi of the hub on its own, the pinned one or not; raises as `read` does."""
        return parse_each_reading(self._answer(now), now, threshold_w=self._threshold_w)

    def _answer(self, now: datetime) -> object:
        try:
            with service_boundary(ZAPPI_SERVICE, ZAPPI_LABEL):
                answer = _run_in_new_loop(self._run_session(now))
                _raise_for_error_number(answer)
        except ThrottledError:
            raise  # looking for the server anew would only add to what is too much already
        except BaseException:  # an alarm, too
            self.host = None
            raise
        return answer

    async def _run_session(self, now: datetime) -> object:
        responses: list[httpx.Response] = []
        async with _create_client(responses, self._count) as client:
            try:
                return await asyncio.wait_for(self._ask(client), self._timeout_seconds)
            except Exception as error:
                raise _translate_library_error(error, responses, now) from error

    async def _ask(self, client: "httpx.AsyncClient") -> object:
        import httpx
        from pymyenergi.connection import Connection

        library: Any = Connection  # says less than it takes
        step_seconds = self._timeout_seconds / 2
        connection = library(self._hub_serial, self._api_key, timeout=step_seconds, asyncClient=client)
        if self.host:
            connection.base_url = f"https://{self.host}"
            connection.do_query_asn = False
        try:
            answer = await connection.get(ZAPPI_STATUS_PATH)
        except (httpx.NetworkError, httpx.ProxyError, httpx.RemoteProtocolError, httpx.ConnectTimeout):
            if not self.host:
                raise
            connection.base_url = None
            answer = await connection.get(ZAPPI_STATUS_PATH)
        self.host = _parse_myenergi_host(connection.base_url)
        return answer


def _create_client(responses: "list[httpx.Response]", count: Callable[[], None]) -> "httpx.AsyncClient":
    """A client of our own for one session: it counts requests, records answers, and connects to myenergi alone."""
    try:
        import httpx
        import pymyenergi.connection  # noqa: F401 - builds a client from the environment as it is imported

        async def record_response(response: httpx.Response) -> None:
            responses.append(response)
            await truncate_body(response)

        async def count_request(_request: httpx.Request) -> None:
            count()

        hooks: dict[str, list[Any]] = {"request": [_refuse_other_hosts, count_request], "response": [record_response]}
        return httpx.AsyncClient(headers={"Accept-Encoding": "identity"}, event_hooks=hooks)
    except Exception as error:
        raise ConfigurationError(
            f"does not let a connection begin ({type(error).__name__})",
            place="environment",
            right="Check HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR.",
        ) from error


async def _refuse_other_hosts(request: "httpx.Request") -> None:
    """Answer no challenge of a stranger, whatever server an answer names."""
    import httpx

    if not MYENERGI_HOST_PATTERN.fullmatch(request.url.netloc.decode("ascii")):
        raise httpx.ConnectError("this server is not myenergi's", request=request)


def _parse_myenergi_host(base_url: str) -> str | None:
    """The server that the last answer named, where it is a plain name of myenergi's own."""
    named = base_url.removeprefix("https://").lower()
    return named if MYENERGI_HOST_PATTERN.fullmatch(named) else None


def _run_in_new_loop(session: Coroutine[object, object, T]) -> T:
    """Run a session in a loop that is left at once.

    `asyncio.run` would wait for a name look-up that hangs in its worker thread.
    """
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(session)
    finally:
        try:
            _cancel_tasks(loop)
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()


def _cancel_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Let what an alarm has interrupted close its connections."""
    unfinished = asyncio.all_tasks(loop)
    for task in unfinished:
        task.cancel()
    if unfinished:
        loop.run_until_complete(asyncio.gather(*unfinished, return_exceptions=True))


def _raise_for_error_number(answer: object) -> None:
    """Raise where HTTP 200 carries an error number instead of records."""
    status = parse_error_status(answer)
    if status in SIGN_IN_ERROR_NUMBERS:
        raise SignInRefusedError(
            f"myenergi refuses the hub's serial or key (error {status})", fix=HUB_CREDENTIALS_FIX, service=ZAPPI_SERVICE
        )
    if status == HUB_BUSY_ERROR_NUMBER:
        raise UnreachableError("myenergi is busy with a command to the charger", service=ZAPPI_SERVICE)
    if status is not None:
        raise UnreachableError(f"myenergi answered with error {status}", service=ZAPPI_SERVICE)


def _translate_library_error(error: Exception, responses: "list[httpx.Response]", now: datetime) -> AppError:
    """What an exception of the library means, judged by the answer that it followed."""
    import httpx
    from pymyenergi.exceptions import MyenergiException, TimeoutException

    if isinstance(error, TimeoutError | TimeoutException | httpx.TimeoutException):
        return UnreachableError("myenergi did not answer in time", service=ZAPPI_SERVICE)
    if isinstance(error, MyenergiException) and responses:
        return _translate_http_status(responses[-1], now)
    if isinstance(error, httpx.TransportError):
        return UnreachableError(f"myenergi could not be reached ({type(error).__name__})", service=ZAPPI_SERVICE)
    if isinstance(error, ValueError | RecursionError):
        return UnreachableError("myenergi answered with something that is not JSON", service=ZAPPI_SERVICE)
    return UnreachableError("myenergi could not be reached", service=ZAPPI_SERVICE)


def _translate_http_status(answer: "httpx.Response", now: datetime) -> AppError:
    status = answer.status_code
    if status == HTTP_UNAUTHORISED:
        return SignInRefusedError(
            "myenergi refuses the hub's serial or key (HTTP 401)", fix=HUB_CREDENTIALS_FIX, service=ZAPPI_SERVICE
        )
    if status == HTTP_TOO_MANY_REQUESTS:
        wait = parse_retry_after(answer.headers.get("Retry-After"), now)
        return ThrottledError("myenergi asks us to wait (HTTP 429)", retry_after=wait, service=ZAPPI_SERVICE)
    if status == HTTP_OK:
        return UnreachableError(
            "an answer named no myenergi server", fix=f"If this stays: {HUB_CREDENTIALS_FIX}", service=ZAPPI_SERVICE
        )
    return UnreachableError(f"myenergi answered HTTP {status}", service=ZAPPI_SERVICE)
