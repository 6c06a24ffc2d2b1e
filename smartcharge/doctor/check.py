"""What the doctor finds: one line each, with its mend; and what all of it comes to."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from enum import Enum, StrEnum

from msgspec import Struct

from smartcharge.app import App
from smartcharge.errors import AppError, ConfigurationError, SignInRefusedError, most_serious_exit_code, to_one_line
from smartcharge.formatting import age_text, local_time
from smartcharge.policy.polling import has_elapsed, is_blocked
from smartcharge.store.services import load_service

EXIT_OWNER_MUST_ACT = ConfigurationError.exit_code
EXIT_SIGN_IN_REFUSED = SignInRefusedError.exit_code
TRY_AGAIN_FIX = "Try again in a minute; if it stays, look at your network and at the service's status page"


class CheckVerdict(StrEnum):
    """How it stands; a warning needs nobody at once."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


class Check(Struct, frozen=True):
    """One check. says: a clause for people, without secrets; mend: what to do, "" where there is nothing to do."""

    area: str
    name: str
    verdict: CheckVerdict
    message: str
    fix: str = ""
    exit_code: int = 0

    @property
    def line(self) -> str:
        """The finding on one line of the terminal."""
        text = " ".join(_check_sentence(part) for part in (self.message, self.fix) if part)
        return f"{self.verdict:<8} {self.area}, {self.name}: {text}"

    @property
    def as_json(self) -> dict[str, str | None]:
        """The finding for programs."""
        return {
            "area": self.area,
            "check": self.name,
            "verdict": self.verdict.value,
            "says": _plain_line(self.message),
            "mend": _plain_line(self.fix) or None,
        }


CheckReporter = Callable[[Check], None]
"""Takes a finding as soon as it is made."""


class CheckArea(Struct, frozen=True):
    """A part of the house, whose findings bear its name."""

    name: str

    def ok(self, name: str, message: str) -> Check:
        """All is well, or it is merely worth knowing."""
        return Check(self.name, name, CheckVerdict.OK, message)

    def warning(self, name: str, message: str, fix: str = "") -> Check:
        """Not as it should be, or not to be learnt just now."""
        return Check(self.name, name, CheckVerdict.WARNING, message, fix)

    def error(self, name: str, message: str, fix: str, exit_code: int = EXIT_OWNER_MUST_ACT) -> Check:
        """The owner must set this right."""
        return Check(self.name, name, CheckVerdict.ERROR, message, fix, exit_code)

    def refused(self, name: str, message: str, fix: str) -> Check:
        """A sign-in was refused."""
        return self.error(name, message, fix, EXIT_SIGN_IN_REFUSED)

    def app_error(self, name: str, app_error: AppError, fix: str = TRY_AGAIN_FIX) -> Check:
        """What went wrong in its own words; where nobody must act it is a warning."""
        if app_error.exit_code in {EXIT_OWNER_MUST_ACT, EXIT_SIGN_IN_REFUSED}:
            return self.error(name, app_error.message, app_error.fix or fix, app_error.exit_code)
        return self.warning(name, app_error.message, app_error.fix or fix)


def checks_exit_code(checks: Sequence[Check]) -> int:
    """The most serious of all; 0 where the owner need not act."""
    return most_serious_exit_code(check.exit_code for check in checks)


def checks_json(checks: Sequence[Check]) -> dict[str, object]:
    """The object of `doctor --json`."""
    worst = max((check.verdict for check in checks), key=list(CheckVerdict).index, default=CheckVerdict.OK)
    return {"verdict": worst.value, "checks": [check.as_json for check in checks]}


def _check_sentence(text: str) -> str:
    line = _plain_line(text)
    return line if line.endswith((".", "!", "?")) else f"{line}."


def _plain_line(text: str) -> str:
    return to_one_line(" ".join(text.split()))


class ServiceAccount(Enum):
    """A service that we sign in to: its name in the memory, its area, and the mend of a refused sign-in."""

    KRAKEN = (
        "kraken",
        CheckArea("Kraken"),
        "Run `smartcharge login kraken`, or mend eon_next.email and eon_next.password",
    )
    ZAPPI = ("zappi", CheckArea("Zappi"), "Mend myenergi.hub_serial and myenergi.api_key; a new value is tried at once")
    TESLA = ("tesla", CheckArea("Tesla"), "Run `smartcharge login tesla`")
    MAIL = ("mail", CheckArea("mail"), "Make a new App Password, and put it into gcal.smtp_pass")

    def __init__(self, key: str, area: CheckArea, fix: str) -> None:
        self.key = key
        self.area = area
        self.fix = fix


def find_obstacle(
    app: App, account: ServiceAccount, fingerprint: str, retry_refused_after: timedelta | None = None
) -> Iterator[Check]:
    """Give the one reason, if any, why the service is not to be asked now.

    fingerprint: of the sign-in as it is now; retried_after: when a refused one is tried again all the same.
    """
    row = load_service(app.read_only_db, account.key)
    is_old = retry_refused_after is not None and has_elapsed(app.now, row.refused_at, retry_refused_after)
    if row.refused_for == fingerprint and not is_old:
        since = f" {age_text(app.now - row.refused_at)} ago" if row.refused_at else ""
        message = f"the sign-in was refused{since} and nothing has changed since, so it is not tried again"
        yield account.area.refused("sign-in", message, account.fix)
    elif row.not_before and is_blocked(app.now, row.not_before):
        until = local_time(row.not_before, app.policy.cheap_period.zone)
        message = f"it is left in peace until {until}, because: {row.last_error or 'it asked for patience'}"
        yield account.area.warning("patience", message, "Nothing to do; ask the doctor again after that")
