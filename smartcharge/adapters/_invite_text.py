"""An invite in the family's words: local times, about how much, and what it saves."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from smartcharge.core.calendar import Method, Revision

LEAST_KWH = 0.05
"""Less than this is nothing to tell."""
PENCE = 100


@dataclass(frozen=True, slots=True)
class Words:
    """How this house speaks. cheap_pence, standard_pence: rates per kWh. zone: of the wall clock, IANA name."""

    cheap_pence: float
    standard_pence: float
    zone: str

    def summary(self, revision: Revision) -> str:
        """The event's title; the same for every revision of the same times."""
        start, end = self._local(revision.starts_at), self._local(revision.ends_at)
        first = f"{start:%H:%M}" if start.tzname() == end.tzname() else f"{start:%H:%M %Z} "
        gap = " - " if first.endswith(" ") else "-"
        return f"Cheap charging {first.rstrip()}{gap}{end:%H:%M %Z}{_about(revision)}"

    def subject(self, revision: Revision, *, is_update: bool) -> str:
        """The mail's subject."""
        start = self._local(revision.starts_at)
        prefix = "Cancelled: " if revision.method is Method.CANCEL else "Updated: " if is_update else ""
        return f"{prefix}{self.summary(revision)} ({start:%a} {start.day} {start:%b})"

    def description(self, revision: Revision) -> str:
        """What the event says when it is opened, and the mail to whom reads only that."""
        return "\n".join((*self._opening(revision), "", *self._facts(revision), "", *self._closing(revision)))

    def _opening(self, revision: Revision) -> tuple[str, ...]:
        if revision.method is Method.CANCEL:
            return ("The cheap window below was called off before any charging.",)
        return ("While the car charges in this window, the whole house runs at the cheap rate.",)

    def _facts(self, revision: Revision) -> tuple[str, ...]:
        start, end = self._local(revision.starts_at), self._local(revision.ends_at)
        lines = [f"When: {start:%A} {start.day} {start:%B %Y}, {start:%H:%M %Z} - {end:%H:%M %Z}"]
        if _is_known(revision):
            lines.append(f"Energy:{_about(revision).lstrip(',')} into the car")
        lines.append(f"Rates: {_pence(self.cheap_pence)} per kWh instead of {_pence(self.standard_pence)}")
        saved = self.standard_pence - self.cheap_pence
        if saved > 0:
            lines.append(f"Saving: {_pence(saved)} on every kWh{self._in_all(revision, saved)}")
        return tuple(lines)

    def _closing(self, revision: Revision) -> tuple[str, ...]:
        if revision.method is Method.CANCEL:
            return ("There is nothing to do.",)
        return ("The times follow the supplier's plan and the car; if they change, so does this entry.",)

    def _in_all(self, revision: Revision, saved_pence: float) -> str:
        if not _is_known(revision):
            return ""
        return f", about £{saved_pence * (revision.energy_kwh or 0) / PENCE:.2f} for this window"

    def _local(self, moment: datetime) -> datetime:
        return moment.astimezone(ZoneInfo(self.zone))


def _is_known(revision: Revision) -> bool:
    return revision.energy_kwh is not None and revision.energy_kwh >= LEAST_KWH


def _about(revision: Revision) -> str:
    return f", about {revision.energy_kwh:.1f} kWh" if _is_known(revision) else ""


def _pence(amount: float) -> str:
    return f"{round(amount, 3):g}p"
