"""What pypowerwall tells only its log, heard and put into words; and the library kept off the terminal.

It answers failures with None, with dictionaries that count as true, or with an object that is merely not
connected. Which of the refusals it was stands in its log and in the texts of its exceptions alone.
"""

import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from datetime import timedelta
from io import StringIO
from pathlib import Path

from smartcharge.adapters._powerwall_keeping import SERVICE
from smartcharge.adapters._powerwall_tokens import SIGN_IN
from smartcharge.errors import SignInRefused, Throttled, Trouble, Unreachable

BROWSER_SIGN_IN = "Tesla takes only tokens of a sign-in in a browser: run `smartcharge login tesla` and paste both."
NO_BROWSER = "true"
"""A command that takes the address and does nothing, so that no browser is tried after it."""
STATUS = re.compile(r"(?:(?:HTTP|Code) (?=...\b)|'(?=... [A-Z]))([1-5][0-9]{2})")
BODY = re.compile(r" body:|(?<=Code [1-5][0-9]{2}):")
"""What stands before the body of an answer, in the log of either of the library's clients."""
FLEET_SPENT = re.compile(r'FleetAPI .* body: .*"error": ?"(login_required|invalid_grant)"')
"""The Fleet API's client tells why a renewal was refused in the body of an answer alone."""
SPENT = re.compile(
    r"login_required|invalid_grant|Token refresh HTTP 40[013] error: (?!unknown)"
    r"|Unable to refresh token\. Response code: 40[01]"
)
RENEWAL = re.compile(r"efresh failed|Unable to refresh token(?:\. Response code: ([0-9]{3}))?")
SECONDS = re.compile(r"[0-9]{1,6}")
WAIT = re.compile(r"\(b'retry-after', b'([0-9]{1,6})'\)", re.IGNORECASE)
"""In the log of httpcore: where a command is refused, pypowerwall drops the answer's headers without a word."""
SILENCES = {
    "timed out": "Tesla did not answer in time",
    "ConnectionError": "Tesla could not be reached",
    "ProxyError": "Tesla could not be reached",
    "SSLError": "Tesla could not be reached over a trusted connection",
}
TOO_MANY = 429
HINTS: Mapping[int, str] = {401: SIGN_IN, 403: BROWSER_SIGN_IN}
"""What the owner is to do, by the status of the refusal, where the sign-in is the cloud's."""


class Hearing(logging.Handler):
    """What the library said while it was asked one thing; hints: what the owner is to do about refusals."""

    def __init__(self, hints: Mapping[int, str] = HINTS) -> None:
        super().__init__(logging.WARNING)
        self.hints = hints
        self.said = ""
        self.retry_after: timedelta | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Note a line without the body of an answer, and how long Tesla asked us to wait."""
        line = record.getMessage()
        self.said += " ".join((BODY.split(line)[0], *FLEET_SPENT.findall(line))) + "\n"
        self._note_wait(sys.exc_info()[1])  # the library logs from inside its except clauses

    def status(self, besides: str = "") -> int | None:
        """The last HTTP status that was told, in the log or `besides`."""
        told = STATUS.findall(self.said + besides)
        return int(told[-1]) if told else None

    def trouble(self, besides: str = "", otherwise: str = "Tesla gave no usable answer") -> Trouble:
        """What it comes to.

        besides: what an exception or an answer told. otherwise: the words where nothing is known.
        """
        told = self.said + besides
        renewal = RENEWAL.search(told)
        status = int(renewal[1]) if renewal and renewal[1] else self.status(besides)
        if SPENT.search(told):
            return SignInRefused("Tesla no longer accepts the stored sign-in", hint=self.hints[401], service=SERVICE)
        if status == TOO_MANY:
            return Throttled("Tesla asks for patience (HTTP 429)", retry_after=self.retry_after, service=SERVICE)
        if renewal:  # a 401 is then merely a token that has run out
            return Unreachable("the Tesla sign-in could not be renewed just now", service=SERVICE)
        if status is not None and status in self.hints:
            told = f"Tesla refused the access token (HTTP {status})"
            return SignInRefused(told, hint=self.hints[status], service=SERVICE)
        if status is not None:
            return Unreachable(f"Tesla answered HTTP {status}", service=SERVICE)
        silence = next((words for sign, words in SILENCES.items() if sign in told), otherwise)
        return Unreachable(silence, service=SERVICE)

    def _note_wait(self, failure: BaseException | None) -> None:
        response = getattr(failure, "response", None)
        headers = getattr(getattr(response, "_resp", response), "headers", {})  # the library's wrapper hides them
        if SECONDS.fullmatch(told := headers.get("Retry-After", "")):
            self.retry_after = timedelta(seconds=int(told))


class _Headers(logging.Handler):
    """Notes a wait among the headers of an answer, as the transport beneath the library logs them."""

    def __init__(self, heard: Hearing) -> None:
        super().__init__(logging.DEBUG)
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        if told := WAIT.search(record.getMessage()):
            self._heard.retry_after = timedelta(seconds=int(told[1]))


@contextmanager
def listening(hints: Mapping[int, str] = HINTS) -> Iterator[Hearing]:
    """Hear the library during the block, however quiet it has been told to be."""
    heard = Hearing(hints)
    with tuned_in("pypowerwall", heard), tuned_in("httpcore", _Headers(heard)):
        yield heard


@contextmanager
def tuned_in(name: str, handler: logging.Handler) -> Iterator[None]:
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
def unattended() -> Iterator[None]:
    """Let a library find nobody at the terminal and no browser; what it prints is dropped."""
    browser, stdin = os.environ.get("BROWSER"), sys.stdin
    with Path(os.devnull).open(encoding="utf-8") as nobody, redirect_stdout(StringIO()):
        os.environ["BROWSER"], sys.stdin = NO_BROWSER, nobody
        try:
            yield
        finally:
            sys.stdin = stdin
            if browser is None:
                del os.environ["BROWSER"]
            else:
                os.environ["BROWSER"] = browser
