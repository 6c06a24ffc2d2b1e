"""What pypowerwall tells only its log, heard and put into words; and the library kept off the terminal.

It answers failures with None, with dictionaries that count as true, or with an object that is merely not
connected. Which of the refusals it was stands in its log and in the texts of its exceptions alone.
"""

import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import timedelta
from io import StringIO
from pathlib import Path

from smartcharge.adapters._powerwall_tokens import SERVICE, SIGN_IN
from smartcharge.errors import SignInRefused, Throttled, Trouble, Unreachable

BROWSER_SIGN_IN = "Tesla takes only tokens of a sign-in in a browser: run `smartcharge login tesla` and paste both."
NO_BROWSER = "true"
"""A command that takes the address and does nothing, so that no browser is tried after it."""
STATUS = re.compile(r"(?:HTTP (?=...\b)|'(?=... [A-Z]))([1-5][0-9]{2})")
SPENT = re.compile(r"login_required|invalid_grant|Token refresh HTTP 40[013] error: (?!unknown)")
SECONDS = re.compile(r"[0-9]{1,6}")
SILENCES = {
    "timed out": "Tesla did not answer in time",
    "ConnectionError": "Tesla could not be reached",
    "ProxyError": "Tesla could not be reached",
    "SSLError": "Tesla could not be reached over a trusted connection",
}
TOO_MANY = 429
HINTS = {401: SIGN_IN, 403: BROWSER_SIGN_IN}


class Hearing(logging.Handler):
    """What the library said while it was asked one thing."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said = ""
        self.retry_after: timedelta | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Note a line without the body of an answer, and how long Tesla asked us to wait."""
        self.said += record.getMessage().partition(" body:")[0] + "\n"
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
        status = self.status(besides)
        if SPENT.search(told):
            return SignInRefused("Tesla no longer accepts the stored sign-in", hint=SIGN_IN, service=SERVICE)
        if status == TOO_MANY:
            return Throttled("Tesla asks for patience (HTTP 429)", retry_after=self.retry_after, service=SERVICE)
        if "efresh failed" in told:  # a 401 is then merely a token that has run out
            return Unreachable("the Tesla sign-in could not be renewed just now", service=SERVICE)
        if status in HINTS:
            return SignInRefused(f"Tesla refused the access token (HTTP {status})", hint=HINTS[status], service=SERVICE)
        if status is not None:
            return Unreachable(f"Tesla answered HTTP {status}", service=SERVICE)
        silence = next((words for sign, words in SILENCES.items() if sign in told), otherwise)
        return Unreachable(silence, service=SERVICE)

    def _note_wait(self, failure: BaseException | None) -> None:
        response = getattr(failure, "response", None)
        headers = getattr(getattr(response, "_resp", response), "headers", {})  # the library's wrapper hides them
        if SECONDS.fullmatch(told := headers.get("Retry-After", "")):
            self.retry_after = timedelta(seconds=int(told))


@contextmanager
def listening() -> Iterator[Hearing]:
    """Hear the library during the block, however quiet it has been told to be."""
    log = logging.getLogger("pypowerwall")
    level, propagate = log.level, log.propagate
    heard = Hearing()
    log.addHandler(heard)
    if log.getEffectiveLevel() > logging.WARNING:
        log.setLevel(logging.WARNING)
        log.propagate = False
    try:
        yield heard
    finally:
        log.setLevel(level)
        log.propagate = propagate
        log.removeHandler(heard)


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
