"""What the doctor finds: one line each, with its mend; and what all of it comes to."""

from collections.abc import Callable, Sequence
from enum import StrEnum

from msgspec import Struct

from smartcharge.errors import ConfigurationRefused, SignInRefused, Trouble, most_serious, one_line

OWNER_MUST_ACT = ConfigurationRefused.exit_code
SIGN_IN_REFUSED = SignInRefused.exit_code
TRY_AGAIN = "Try again in a minute; if it stays, look at your network and at the service's status page"


class Verdict(StrEnum):
    """How it stands; a warning needs nobody at once."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


class Finding(Struct, frozen=True):
    """One check. says: a clause for people, without secrets; mend: what to do, "" where there is nothing to do."""

    area: str
    check: str
    verdict: Verdict
    says: str
    mend: str = ""
    exit_code: int = 0

    @property
    def line(self) -> str:
        """The finding on one line of the terminal."""
        told = " ".join(_sentence(part) for part in (self.says, self.mend) if part)
        return f"{self.verdict:<8} {self.area}, {self.check}: {told}"

    @property
    def as_json(self) -> dict[str, str | None]:
        """The finding for programs."""
        return {
            "area": self.area,
            "check": self.check,
            "verdict": self.verdict.value,
            "says": _plain(self.says),
            "mend": _plain(self.mend) or None,
        }


Tell = Callable[[Finding], None]
"""Takes a finding as soon as it is made."""


class Area(Struct, frozen=True):
    """A part of the house, whose findings bear its name."""

    name: str

    def ok(self, check: str, says: str) -> Finding:
        """All is well, or it is merely worth knowing."""
        return Finding(self.name, check, Verdict.OK, says)

    def warning(self, check: str, says: str, mend: str = "") -> Finding:
        """Not as it should be, or not to be learnt just now."""
        return Finding(self.name, check, Verdict.WARNING, says, mend)

    def error(self, check: str, says: str, mend: str, exit_code: int = OWNER_MUST_ACT) -> Finding:
        """The owner must set this right."""
        return Finding(self.name, check, Verdict.ERROR, says, mend, exit_code)

    def refused(self, check: str, says: str, mend: str) -> Finding:
        """A sign-in was refused."""
        return self.error(check, says, mend, SIGN_IN_REFUSED)

    def trouble(self, check: str, trouble: Trouble, mend: str = TRY_AGAIN) -> Finding:
        """What went wrong in its own words; where nobody must act it is a warning."""
        if trouble.exit_code in {OWNER_MUST_ACT, SIGN_IN_REFUSED}:
            return self.error(check, trouble.message, trouble.hint or mend, trouble.exit_code)
        return self.warning(check, trouble.message, trouble.hint or mend)


def exit_code(findings: Sequence[Finding]) -> int:
    """The most serious of all; 0 where the owner need not act."""
    return most_serious(finding.exit_code for finding in findings)


def summary(findings: Sequence[Finding]) -> dict[str, object]:
    """The object of `doctor --json`."""
    worst = max((finding.verdict for finding in findings), key=list(Verdict).index, default=Verdict.OK)
    return {"verdict": worst.value, "checks": [finding.as_json for finding in findings]}


def _sentence(text: str) -> str:
    line = _plain(text)
    return line if line.endswith((".", "!", "?")) else f"{line}."


def _plain(text: str) -> str:
    return one_line(" ".join(text.split()))
