"""One session with pypowerwall: opened, its log captured, and closed without logging out."""

import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

from smartcharge.deadline import service_boundary, unwrap_group
from smartcharge.errors import AppError, SignInRefusedError, ThrottledError, UnreachableError
from smartcharge.providers.http import TOO_LARGE_TEXT, limit_http_libraries, parse_retry_after
from smartcharge.providers.tesla.tokens import (
    TESLA_SERVICE,
    TESLA_SIGN_IN_FIX,
    back_up_cloud_tokens,
    check_cloud_token_file,
    cloud_folder,
)

BROWSER_SIGN_IN_FIX = "Tesla takes only tokens of a sign-in in a browser: run `smartcharge login tesla` and paste both."
NO_BROWSER_COMMAND = "true"
"""A command that takes the address and does nothing, so that no browser is tried after it."""
HTTP_STATUS_PATTERN = re.compile(r"(?:(?:HTTP|Code) (?=...\b)|'(?=... [A-Z]))([1-5][0-9]{2})")
BODY_START_PATTERN = re.compile(r" body:|(?<=Code [1-5][0-9]{2}):")
"""What stands before the body of an answer, in the log of either of the library's clients."""
FLEET_TOKEN_SPENT_PATTERN = re.compile(r'FleetAPI .* body: .*"error": ?"(login_required|invalid_grant)"')
"""The Fleet API's client tells why a renewal was refused in the body of an answer alone."""
TOKEN_SPENT_PATTERN = re.compile(
    r"login_required|invalid_grant|Token refresh HTTP 40[013] error: (?!unknown)"
    r"|Unable to refresh token\. Response code: 40[01]"
)
RENEWAL_FAILED_PATTERN = re.compile(r"efresh failed|Unable to refresh token(?:\. Response code: ([0-9]{3}))?")
RETRY_AFTER_PATTERN = re.compile(r"\(b'retry-after', b'([0-9]{1,6})'\)", re.IGNORECASE)
"""In the log of httpcore: where a command is refused, pypowerwall drops the answer's headers without a word."""
TESLA_UNREACHABLE_TEXTS = {
    "timed out": "Tesla did not answer in time",
    TOO_LARGE_TEXT: "Tesla's answer was larger than 4 MB",
    "ConnectionError": "Tesla could not be reached",
    "ProxyError": "Tesla could not be reached",
    "SSLError": "Tesla could not be reached over a trusted connection",
}
HTTP_UNAUTHORIZED, HTTP_TOO_MANY_REQUESTS = 401, 429
CLOUD_FIX_BY_STATUS: Mapping[int, str] = {401: TESLA_SIGN_IN_FIX, 403: BROWSER_SIGN_IN_FIX}
"""What the owner is to do, by the status of the refusal, where the sign-in is the cloud's."""


class LogCapture(logging.Handler):
    """What the library said while it was asked one thing.

    fix_by_status: what the owner can do about a refusal. is_signed_in: Tesla has answered with the same token before,
    so that HTTP 401 says nothing about the sign-in.
    """

    def __init__(self, fix_by_status: Mapping[int, str] = CLOUD_FIX_BY_STATUS, *, is_signed_in: bool = False) -> None:
        super().__init__(logging.WARNING)
        self.fix_by_status = fix_by_status
        self.is_signed_in = is_signed_in
        self.said = ""
        self.retry_after: timedelta | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Note a line without the body of an answer, and how long Tesla asked us to wait."""
        line = record.getMessage()
        self.said += " ".join((BODY_START_PATTERN.split(line)[0], *FLEET_TOKEN_SPENT_PATTERN.findall(line))) + "\n"
        self._record_retry_after(sys.exc_info()[1])  # the library logs from inside its except clauses

    def status(self, extra_text: str = "") -> int | None:
        """The last HTTP status that was told, in the log or in `extra_text`."""
        told = HTTP_STATUS_PATTERN.findall(self.said + extra_text)
        return int(told[-1]) if told else None

    def error(self, extra_text: str = "", otherwise: str = "Tesla gave no usable answer") -> AppError:
        """Give the error for what was captured.

        extra_text: what an exception or an answer said. otherwise: the message where nothing is known.
        """
        told = self.said + extra_text
        renewal = RENEWAL_FAILED_PATTERN.search(told)
        status = int(renewal[1]) if renewal and renewal[1] else self.status(extra_text)
        if TOKEN_SPENT_PATTERN.search(told):
            return SignInRefusedError(
                "Tesla no longer accepts the stored sign-in", fix=self.fix_by_status[401], service=TESLA_SERVICE
            )
        if status == HTTP_TOO_MANY_REQUESTS:
            return ThrottledError(
                "Tesla asks us to wait (HTTP 429)", retry_after=self.retry_after, service=TESLA_SERVICE
            )
        if renewal:  # a 401 is then merely a token that has run out
            return UnreachableError("the Tesla sign-in could not be renewed just now", service=TESLA_SERVICE)
        if self._is_sign_in_refused(status):
            message = f"Tesla refused the access token (HTTP {status})"
            return SignInRefusedError(message, fix=self.fix_by_status[status or 0], service=TESLA_SERVICE)
        return self._outage(status, told, otherwise)

    def _is_sign_in_refused(self, status: int | None) -> bool:
        """Whether a status refuses the sign-in; a 401 does not where Tesla has just answered with it."""
        return status in self.fix_by_status and not (status == HTTP_UNAUTHORIZED and self.is_signed_in)

    def _outage(self, status: int | None, told: str, otherwise: str) -> UnreachableError:
        if status is not None:
            return UnreachableError(f"Tesla answered HTTP {status}", service=TESLA_SERVICE)
        silence = next((words for sign, words in TESLA_UNREACHABLE_TEXTS.items() if sign in told), otherwise)
        return UnreachableError(silence, service=TESLA_SERVICE)

    def _record_retry_after(self, failure: BaseException | None) -> None:
        response = getattr(failure, "response", None)
        headers = getattr(getattr(response, "_resp", response), "headers", {})  # the library's wrapper hides them
        self.retry_after = parse_retry_after(headers.get("Retry-After"), None) or self.retry_after


class _RetryAfterCapture(logging.Handler):
    """Notes a wait among the headers of an answer, as the library's transport logs them."""

    def __init__(self, captured: LogCapture) -> None:
        super().__init__(logging.DEBUG)
        self._capture = captured

    def emit(self, record: logging.LogRecord) -> None:
        if told := RETRY_AFTER_PATTERN.search(record.getMessage()):
            self._capture.retry_after = parse_retry_after(told[1], None)


@contextmanager
def capture_logs(
    fix_by_status: Mapping[int, str] = CLOUD_FIX_BY_STATUS, *, is_signed_in: bool = False
) -> Iterator[LogCapture]:
    """Hear the library during the block, however quiet it has been told to be."""
    captured = LogCapture(fix_by_status, is_signed_in=is_signed_in)
    with attach_log_handler("pypowerwall", captured), attach_log_handler("httpcore", _RetryAfterCapture(captured)):
        yield captured


@contextmanager
def attach_log_handler(name: str, handler: logging.Handler) -> Iterator[None]:
    """Let a handler hear a log down to its own level during the block; what only it asked for goes nowhere else."""
    log = logging.getLogger(name)
    level, propagate = log.level, log.propagate
    log.addHandler(handler)
    if log.getEffectiveLevel() > handler.level:
        log.setLevel(handler.level)
        log.propagate = False
    try:
        yield
    finally:
        log.setLevel(level)
        log.propagate = propagate
        log.removeHandler(handler)


@contextmanager
def disable_interaction() -> Iterator[None]:
    """Let a library find no terminal and no browser, and drop what it prints."""
    browser, stdin = os.environ.get("BROWSER"), sys.stdin
    with Path(os.devnull).open(encoding="utf-8") as no_input, redirect_stdout(StringIO()):
        os.environ["BROWSER"], sys.stdin = NO_BROWSER_COMMAND, no_input
        try:
            yield
        finally:
            sys.stdin = stdin
            if browser is None:
                del os.environ["BROWSER"]
            else:
                os.environ["BROWSER"] = browser


NO_SITE_TEXT, WRONG_SITE_TEXT = "No sites found", "not found for"
"""Why it did not connect, in the library's words, which stand in its log alone."""
ErrorTranslator = Callable[[LogCapture, str], AppError]
"""Gives the error for what was captured and what an exception said."""


@contextmanager
def open_cloud_session(
    email: str, site_id: int | None, folder: Path, timeout_seconds: int, now: datetime | None = None
) -> Iterator[tuple[Any, LogCapture]]:
    """The library's object, connected or not, and what was captured from it; its token file is checked and kept.

    now (UTC): as in `check`.
    """
    check_cloud_token_file(folder, email, now)
    import pypowerwall

    limit_http_libraries()
    library: Any = pypowerwall  # not typed
    powerwall: Any = None
    try:
        with cloud_folder(folder, email) as library_folder, translate_library_errors() as captured:
            powerwall = library.Powerwall(
                email=email,
                siteid=site_id,
                authpath=str(library_folder),
                timeout=timeout_seconds,
                cloudmode=True,
                failover=False,
                retry_modes=False,
            )
        with suppress(UnreachableError):  # a sign-in renewed by connecting is copied at once; a kill may come any time
            _back_up_session_tokens(powerwall, folder, email)
        yield powerwall, captured
    except BaseException:
        with suppress(UnreachableError):
            _close_cloud_session(powerwall, folder, email)
        raise
    _close_cloud_session(powerwall, folder, email)


def _back_up_session_tokens(powerwall: Any, folder: Path, email: str) -> None:  # noqa: ANN401 - the library is not typed
    back_up_cloud_tokens(folder, email, getattr(_get_cloud_client(powerwall), "token", None))


def _close_cloud_session(powerwall: Any, folder: Path, email: str) -> None:  # noqa: ANN401
    try:
        _back_up_session_tokens(powerwall, folder, email)
    finally:
        if (tesla := _get_cloud_client(powerwall)) is not None:
            tesla.close()


def _get_cloud_client(powerwall: Any) -> Any:  # noqa: ANN401
    """The library's own client of Tesla, where it got as far as having one."""
    return getattr(getattr(powerwall, "client", None), "tesla", None)


@contextmanager
def translate_library_errors(
    fix_by_status: Mapping[int, str] = CLOUD_FIX_BY_STATUS,
    in_words: ErrorTranslator = LogCapture.error,
    *,
    is_signed_in: bool = False,
) -> Iterator[LogCapture]:
    """Listen to the library, and put whatever it raises into our words.

    is_signed_in: Tesla has already answered in this session, so that a 401 now is trouble and no refused sign-in.
    """
    logs = capture_logs(fix_by_status, is_signed_in=is_signed_in)
    with service_boundary(TESLA_SERVICE, "Tesla"), disable_interaction(), logs as captured:
        try:
            yield captured
        except (AppError, MemoryError, RecursionError):
            raise
        except Exception as error:
            if isinstance(unwrap_group(error), AppError):
                raise
            raise in_words(captured, repr(error)) from error


def get_connected_site(powerwall: Any) -> Mapping[str, object] | None:  # noqa: ANN401
    """The site that was connected to, in cloud mode; None where none was."""
    site: Mapping[str, object] | None = getattr(powerwall.client, "site", None)
    return site if powerwall.mode == "cloud" else None


def list_battery_sites(powerwall: Any) -> tuple[tuple[int, str], ...]:  # noqa: ANN401
    """The account's sites with a battery; 1 request."""
    return tuple((each["energy_site_id"], str(each.get("site_name"))) for each in powerwall.client.tesla.battery_list())


REQUEST_SENT_PATTERN = re.compile(r"send_request_headers\.started request=<Request \[b'(?!CONNECT')")
"""httpcore as it sends one, a proxy's own left out: the library's usual way."""
NEW_CONNECTION_TEXT = "Starting new HTTPS connection"
RESPONSE_LOGGED_PATTERN = re.compile(r'https://\S+ "[A-Z]+ ')
"""urllib3, which renews tokens, and tries once more what got no answer: it tells of connections and of answers."""
TRANSPORT_LOGGERS = ("httpcore", "urllib3")


class _RequestCounter(logging.Handler):
    """Counts a new connection as the request that it is made for, and an answer that needed none as one, too."""

    def __init__(self, count: Callable[[], None]) -> None:
        super().__init__(logging.DEBUG)
        self._count = count
        self._is_counted = False

    def emit(self, record: logging.LogRecord) -> None:
        told = record.getMessage()
        connects, answered = told.startswith(NEW_CONNECTION_TEXT), RESPONSE_LOGGED_PATTERN.match(told)
        if REQUEST_SENT_PATTERN.match(told) or connects or (answered and not self._is_counted):
            self._count()
        if connects or answered:
            self._is_counted = connects


@contextmanager
def count_requests(count: Callable[[], None]) -> Iterator[None]:
    """Call `count` for every request during the block; whatever else the transports tell is dropped."""
    with ExitStack() as attached:
        for name in TRANSPORT_LOGGERS:
            attached.enter_context(attach_log_handler(name, _RequestCounter(count)))
        yield
