"""What can foreseeably go wrong: who must act, with which exit code, and how to mend it."""

from collections.abc import Iterable
from datetime import timedelta
from typing import ClassVar

# the names are the message; each is raised and read as a plain word


EXIT_CODES_BY_SEVERITY = (1, 4, 5, 6, 3, 75, 0)
"""Exit codes of a run's parts, the most serious first."""


class AppError(Exception):
    """Something foreseen went wrong; its class says who must act.

    message, hint: plain sentences without secrets, the hint being the mend; service: whose trouble it is, for
    example "Kraken"; both None where there is nothing to say.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, fix: str | None = None, service: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
        self.service = service

    def __str__(self) -> str:
        """Give the message and the hint as sentences on one line, fit for cron's mail."""
        return " ".join(_as_sentence(part) for part in (self.message, self.fix) if part)


class UnreachableError(AppError):
    """A service could not be reached or answered nonsense; the next tick tries again."""

    exit_code = 3


class ThrottledError(UnreachableError):
    """A service asked for patience; retry_after: how much, None where it did not say."""

    def __init__(
        self,
        message: str,
        *,
        retry_after: timedelta | None = None,
        fix: str | None = None,
        service: str | None = None,
    ) -> None:
        super().__init__(message, fix=fix, service=service)
        self.retry_after = retry_after


class ConfigurationError(AppError):
    """The configuration cannot be meant as it is written; the owner must act.

    place: the file, with its line where known, or the environment variable; key: "section.key" or None;
    problem: what was found, continuing "place: key ...", never a secret; right: what would be right.
    """

    exit_code = 4

    def __init__(self, problem: str, *, place: str, key: str | None = None, right: str | None = None) -> None:
        super().__init__(f"{place}: {key} {problem}" if key else f"{place}: {problem}", fix=right)
        self.place = place
        self.key = key


class StoreError(AppError):
    """The database is damaged, foreign, newer than this program or not writable; the owner must act."""

    exit_code = 4


class LocksUnsupportedError(StoreError):
    """The file system has no locks, so that two runs could not be kept apart; the owner must move the folder."""


class SignInRefusedError(AppError):
    """A service refused the sign-in; asking again would not help, the owner must act."""

    exit_code = 5


class NotConfirmedError(AppError):
    """The Powerwall did not take, or did not confirm, the stance; the next tick tries again."""

    exit_code = 6


class RatePlanMissingError(NotConfirmedError):
    """Tesla refuses time-based control because the Tesla app holds no rate plan (HTTP 410)."""


class TimedHoldUnsupportedError(NotConfirmedError):
    """The gateway cannot hold by itself for a time; what is held there must be ended from here."""


class LockBusyError(AppError):
    """Another run holds the lock; nobody needs to act."""

    exit_code = 75


def most_serious_exit_code(codes: Iterable[int]) -> int:
    """Combine exit codes of parts to the one that matters most; 0 where there are none, strangers first."""
    return min(codes, key=_severity_rank, default=0)


def _severity_rank(code: int) -> int:
    return EXIT_CODES_BY_SEVERITY.index(code) if code in EXIT_CODES_BY_SEVERITY else -1


def to_one_line(text: str) -> str:
    """Make text fit for one line of a terminal, a log, a mail's header or the journal, wherever it comes from.

    It cannot begin a second line, colour the terminal, or turn the direction of reading.
    """
    return "".join(sign if sign.isprintable() else " " if sign.isspace() else "?" for sign in text)


def _as_sentence(text: str) -> str:
    line = to_one_line(" ".join(text.split()))
    return line if line.endswith((".", "!", "?")) else f"{line}."
