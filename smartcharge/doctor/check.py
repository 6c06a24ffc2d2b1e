"""The results of the doctor's checks, each with its fix, and the exit code that follows from them."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from enum import Enum, StrEnum

from msgspec import Struct

from smartcharge.app import App
from smartcharge.errors import (
    AppError,
    ConfigurationError,
    SignInRefusedError,
    join_message_and_fix,
    most_serious_exit_code,
)
from smartcharge.formatting import age_text, local_time
from smartcharge.policy.polling import has_elapsed, is_blocked
from smartcharge.store.services import load_service
from smartcharge.text import collapse_spaces

EXIT_OWNER_MUST_ACT = ConfigurationError.exit_code
EXIT_SIGN_IN_REFUSED = SignInRefusedError.exit_code
TRY_AGAIN_FIX = "Try again in a minute. If it persists, check your network and the service's status page"


class CheckVerdict(StrEnum):
    """The result of a check; a warning needs no action at once."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


class Check(Struct, frozen=True):
    """One check. message: a clause for people, without secrets; fix: what to do, "" if there is nothing to do."""

    area: str
    name: str
    verdict: CheckVerdict
    message: str
    fix: str = ""
    exit_code: int = 0

    @property
    def line(self) -> str:
        """The check on one line."""
        return f"{self.verdict:<8} {self.area}, {self.name}: {join_message_and_fix(self.message, self.fix)}"

    @property
    def as_json(self) -> dict[str, str | None]:
        """The check for programs."""
        return {
            "area": self.area,
            "check": self.name,
            "verdict": self.verdict.value,
            "says": _plain_line(self.message),
            "mend": _plain_line(self.fix) or None,
        }


CheckReporter = Callable[[Check], None]
"""Takes a check as soon as it is made."""


class CheckArea(Struct, frozen=True):
    """A part of the set-up; its checks carry its name."""

    name: str

    def ok(self, name: str, message: str) -> Check:
        """Return a check that passed, or that is only information."""
        return Check(self.name, name, CheckVerdict.OK, message)

    def warning(self, name: str, message: str, fix: str = "") -> Check:
        """Return a check that failed but needs no action at once, or that could not be made."""
        return Check(self.name, name, CheckVerdict.WARNING, message, fix)

    def error(self, name: str, message: str, fix: str, exit_code: int = EXIT_OWNER_MUST_ACT) -> Check:
        """Return a check that failed and that the owner must fix."""
        return Check(self.name, name, CheckVerdict.ERROR, message, fix, exit_code)

    def refused(self, name: str, message: str, fix: str) -> Check:
        """Return a check that failed because a sign-in was refused."""
        return self.error(name, message, fix, EXIT_SIGN_IN_REFUSED)

    def app_error(self, name: str, app_error: AppError, fix: str = TRY_AGAIN_FIX) -> Check:
        """Return a check that failed with this error; a warning if the owner need not act."""
        if app_error.exit_code in {EXIT_OWNER_MUST_ACT, EXIT_SIGN_IN_REFUSED}:
            return self.error(name, app_error.message, app_error.fix or fix, app_error.exit_code)
        return self.warning(name, app_error.message, app_error.fix or fix)


def checks_exit_code(checks: Sequence[Check]) -> int:
    """Return the most serious exit code of all; 0 if the owner need not act."""
    return most_serious_exit_code(check.exit_code for check in checks)


def checks_json(checks: Sequence[Check]) -> dict[str, object]:
    """Return the object of `doctor --json`."""
    worst = max((check.verdict for check in checks), key=list(CheckVerdict).index, default=CheckVerdict.OK)
    return {"verdict": worst.value, "checks": [check.as_json for check in checks]}


def _plain_line(text: str) -> str:
    return collapse_spaces(text)


class ServiceAccount(Enum):
    """A service with a sign-in: its name in the database, its area, and the fix of a refused sign-in."""

    KRAKEN = (
        "kraken",
        CheckArea("Kraken"),
        "Run `smartcharge login kraken`, or correct eon_next.email and eon_next.password",
    )
    ZAPPI = (
        "zappi",
        CheckArea("Zappi"),
        "Correct myenergi.hub_serial and myenergi.api_key. A new value is tried at once",
    )
    TESLA = ("tesla", CheckArea("Tesla"), "Run `smartcharge login tesla`")
    MAIL = ("mail", CheckArea("mail"), "Make a new App Password and put it into gcal.smtp_pass")

    def __init__(self, key: str, area: CheckArea, fix: str) -> None:
        self.key = key
        self.area = area
        self.fix = fix


def find_obstacle(
    app: App, account: ServiceAccount, fingerprint: str, retry_refused_after: timedelta | None = None
) -> Iterator[Check]:
    """Return the one reason, if any, why the service must not be asked now.

    fingerprint: of the present sign-in. retry_refused_after: after this time a refused sign-in is tried again anyway.
    """
    row = load_service(app.read_only_db, account.key)
    is_old = retry_refused_after is not None and has_elapsed(app.now, row.refused_at, retry_refused_after)
    if row.refused_for == fingerprint and not is_old:
        since = f" {age_text(app.now - row.refused_at)} ago" if row.refused_at else ""
        message = f"the sign-in was refused{since}. It is not tried again until you change something"
        yield account.area.refused("sign-in", message, account.fix)
    elif row.not_before and is_blocked(app.now, row.not_before):
        until = local_time(row.not_before, app.policy.cheap_period.zone)
        message = f"smartcharge waits until {until} before it asks again: {row.last_error or 'it asked us to wait'}"
        yield account.area.warning("patience", message, "No action needed. Run the doctor again after that time")
