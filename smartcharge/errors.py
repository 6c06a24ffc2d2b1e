"""The errors that the program expects: who must act, the exit code, and how to fix it."""

from collections.abc import Iterable
from datetime import timedelta
from typing import ClassVar

from smartcharge.text import collapse_spaces

EXIT_CODES_BY_SEVERITY = (1, 4, 5, 6, 3, 75, 0)
"""The exit codes of the parts of a run, the most serious first."""
FIX_PREFIX = "To fix: "
NO_ACTION_PREFIX = "No action"
"""A fix that begins so asks nothing of the owner, so it is shown without the prefix."""


class AppError(Exception):
    """An expected error; its class says who must act.

    message: a sentence without secrets. fix: what the owner can do, beginning with a verb, or None. service: the
    service that failed, or None.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, fix: str | None = None, service: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
        self.service = service

    def __str__(self) -> str:
        """Return the message and the fix as sentences on one line, as cron mails it."""
        return join_message_and_fix(self.message, self.fix)


class UnreachableError(AppError):
    """A service could not be reached or its answer made no sense; the next run tries again."""

    exit_code = 3


class ThrottledError(UnreachableError):
    """A service asked to be left alone for a while. retry_after: for how long; None if it did not say."""

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
    """The configuration is not valid; the owner must act.

    place: the file, with its line where known, or the environment variable; key: "section.key" or None;
    problem: what was found, continuing "place: key ...", never a secret; right: what to write instead.
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


class DamagedRowError(StoreError):
    """A row that a decision or a release depends on cannot be read; the rest of the database can."""


class SignInRefusedError(AppError):
    """A service refused the sign-in; asking again would not help, the owner must act."""

    exit_code = 5


class NotConfirmedError(AppError):
    """The Powerwall did not accept or did not confirm its settings; the next run tries again."""

    exit_code = 6


class UnexpectedError(AppError):
    """A provider failed in a way that it does not know: a mistake of ours or of a library."""

    exit_code = 1


class RatePlanMissingError(NotConfirmedError):
    """Tesla refuses Time-Based Control because the Tesla app has no rate plan (HTTP 410)."""


class TimedHoldUnsupportedError(NotConfirmedError):
    """The gateway cannot end a hold by itself, so this program must end it."""


class LockBusyError(AppError):
    """Another run holds the lock; nobody needs to act."""

    exit_code = 75


def most_serious_exit_code(codes: Iterable[int]) -> int:
    """Return the most serious of these exit codes: 0 if there are none; an unknown code counts as the most serious."""
    return min(codes, key=_severity_rank, default=0)


def _severity_rank(code: int) -> int:
    return EXIT_CODES_BY_SEVERITY.index(code) if code in EXIT_CODES_BY_SEVERITY else -1


def join_message_and_fix(message: str, fix: str | None) -> str:
    """Return both as sentences on one line; the fix begins with "To fix: "."""
    return " ".join(part for part in (to_sentence(message), fix_sentence(fix)) if part)


def fix_sentence(fix: str | None) -> str:
    """Return a fix as a sentence that begins with "To fix: "; "" for None."""
    if not fix:
        return ""
    if fix.startswith(NO_ACTION_PREFIX):
        return to_sentence(fix)
    begins_with_a_word = fix[1:2].islower()
    return to_sentence(f"{FIX_PREFIX}{fix[0].lower() if begins_with_a_word else fix[0]}{fix[1:]}")


def to_sentence(text: str) -> str:
    """Return text on one line, with a full stop at its end."""
    line = collapse_spaces(text)
    return line if line.endswith((".", "!", "?")) else f"{line}."
