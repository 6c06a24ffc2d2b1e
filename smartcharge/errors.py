"""What can foreseeably go wrong: who must act, with which exit code, and how to mend it."""
# ruff: noqa: N818  # the names are the message; each is raised and read as a plain word

from collections.abc import Iterable
from datetime import timedelta
from typing import ClassVar

SEVERITY = (1, 4, 5, 6, 3, 75, 0)
"""Exit codes of a run's parts, the most serious first."""


class Trouble(Exception):
    """Something foreseen went wrong; its class says who must act.

    message, hint: plain sentences without secrets, the hint being the mend; service: whose trouble it is, for
    example "Kraken"; both None where there is nothing to say.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None, service: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.service = service

    def __str__(self) -> str:
        """Give the message and the hint as sentences on one line, fit for cron's mail."""
        return " ".join(_sentence(part) for part in (self.message, self.hint) if part)


class Unreachable(Trouble):
    """A service could not be reached or answered nonsense; the next tick tries again."""

    exit_code = 3


class Throttled(Unreachable):
    """A service asked for patience; retry_after: how much, None where it did not say."""

    def __init__(
        self,
        message: str,
        *,
        retry_after: timedelta | None = None,
        hint: str | None = None,
        service: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, service=service)
        self.retry_after = retry_after


class ConfigurationRefused(Trouble):
    """The configuration cannot be meant as it is written; the owner must act.

    place: the file, with its line where known, or the environment variable; key: "section.key" or None;
    problem: what was found, continuing "place: key ...", never a secret; right: what would be right.
    """

    exit_code = 4

    def __init__(self, problem: str, *, place: str, key: str | None = None, right: str | None = None) -> None:
        super().__init__(f"{place}: {key} {problem}" if key else f"{place}: {problem}", hint=right)
        self.place = place
        self.key = key


class DatabaseRefused(Trouble):
    """The database is damaged, foreign, newer than this program or not writable; the owner must act."""

    exit_code = 4


class SignInRefused(Trouble):
    """A service refused the sign-in; asking again would not help, the owner must act."""

    exit_code = 5


class NotConfirmed(Trouble):
    """The Powerwall did not take, or did not confirm, the stance; the next tick tries again."""

    exit_code = 6


class RatePlanMissing(NotConfirmed):
    """Tesla refuses time-based control because the Tesla app holds no rate plan (HTTP 410)."""


class LeaseUnknown(NotConfirmed):
    """The gateway cannot hold by itself for a time; what is held there must be ended from here."""


class Busy(Trouble):
    """Another run holds the lock; nobody needs to act."""

    exit_code = 75


def most_serious(codes: Iterable[int]) -> int:
    """Combine exit codes of parts to the one that matters most; 0 where there are none, strangers first."""
    return min(codes, key=_rank, default=0)


def _rank(code: int) -> int:
    return SEVERITY.index(code) if code in SEVERITY else -1


def one_line(text: str) -> str:
    """Make text fit for one line of a terminal, a log, a mail's header or the journal, wherever it comes from.

    It cannot begin a second line, colour the terminal, or turn the direction of reading.
    """
    return "".join(sign if sign.isprintable() else " " if sign.isspace() else "?" for sign in text)


def _sentence(text: str) -> str:
    line = one_line(" ".join(text.split()))
    return line if line.endswith((".", "!", "?")) else f"{line}."
