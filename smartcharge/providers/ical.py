"""Invites as calendars understand them: iCalendar (RFC 5545) in iMIP mails (RFC 6047), or in a file to subscribe to.

All times are written in UTC, which needs no time zone definition and has no hour twice. The same invite gives the
same bytes on every machine and in every run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from smartcharge.policy.calendar import EventRevision, Invite, InviteMethod

if TYPE_CHECKING:
    from icalendar import Calendar, Event


MIN_SHOWN_KWH = 0.05
"""Less than this is nothing to tell."""
PENCE_PER_POUND = 100


@dataclass(frozen=True, slots=True)
class InviteText:
    """How this house speaks. cheap_pence, standard_pence: rates per kWh. zone: of the wall clock, IANA name."""

    cheap_pence: float
    standard_pence: float
    zone: str

    def summary(self, revision: EventRevision) -> str:
        """The event's title; the same for every revision of the same times."""
        start, end = self._local(revision.starts_at), self._local(revision.ends_at)
        first = f"{start:%H:%M}" if start.tzname() == end.tzname() else f"{start:%H:%M %Z} "
        gap = " - " if first.endswith(" ") else "-"
        return f"Cheap charging {first.rstrip()}{gap}{end:%H:%M %Z}{_format_energy(revision)}"

    def subject(self, revision: EventRevision, *, is_update: bool) -> str:
        """The mail's subject."""
        start = self._local(revision.starts_at)
        prefix = "Cancelled: " if revision.method is InviteMethod.CANCEL else "Updated: " if is_update else ""
        return f"{prefix}{self.summary(revision)} ({start:%a} {start.day} {start:%b})"

    def description(self, revision: EventRevision) -> str:
        """What the event says when it is opened, and the mail to whom reads only that."""
        return "\n".join(
            (*self._opening_lines(revision), "", *self._facts(revision), "", *self._closing_lines(revision))
        )

    def _opening_lines(self, revision: EventRevision) -> tuple[str, ...]:
        if revision.method is InviteMethod.CANCEL:
            return ("The cheap window below was called off before any charging.",)
        return ("While the car charges in this window, the whole house runs at the cheap rate.",)

    def _facts(self, revision: EventRevision) -> tuple[str, ...]:
        start, end = self._local(revision.starts_at), self._local(revision.ends_at)
        lines = [f"When: {start:%A} {start.day} {start:%B %Y}, {start:%H:%M %Z} - {end:%H:%M %Z}"]
        if _has_energy(revision):
            lines.append(f"Energy:{_format_energy(revision).lstrip(',')} into the car")
        lines.append(
            f"Rates: {_format_pence(self.cheap_pence)} per kWh instead of {_format_pence(self.standard_pence)}"
        )
        saved = self.standard_pence - self.cheap_pence
        if saved > 0:
            lines.append(f"Saving: {_format_pence(saved)} on every kWh{self._format_total_saving(revision, saved)}")
        return tuple(lines)

    def _closing_lines(self, revision: EventRevision) -> tuple[str, ...]:
        if revision.method is InviteMethod.CANCEL:
            return ("There is nothing to do.",)
        return ("The times follow the supplier's plan and the car; if they change, so does this entry.",)

    def _format_total_saving(self, revision: EventRevision, saved_pence: float) -> str:
        if not _has_energy(revision):
            return ""
        return f", about £{saved_pence * (revision.energy_kwh or 0) / PENCE_PER_POUND:.2f} for this window"

    def _local(self, moment: datetime) -> datetime:
        return moment.astimezone(ZoneInfo(self.zone))


def _has_energy(revision: EventRevision) -> bool:
    return revision.energy_kwh is not None and revision.energy_kwh >= MIN_SHOWN_KWH


def _format_energy(revision: EventRevision) -> str:
    return f", about {revision.energy_kwh:.1f} kWh" if _has_energy(revision) else ""


def _format_pence(amount: float) -> str:
    return f"{round(amount, 3):g}p"


ICS_PRODUCT_ID = "-//smartcharge//house charging//EN"
CALENDAR_NAME = "House charging"
"""Letters and blanks only: some clients cut a quoted name at the first semicolon."""


class IcalInviteWriter:
    """Writes invites down. sender, recipient: bare addresses, None where there are no mails."""

    def __init__(
        self, *, sender: str | None, recipient: str | None, cheap_pence: float, standard_pence: float, zone: str
    ) -> None:
        self._sender = sender or ""
        self._recipient = recipient or ""
        self._words = InviteText(cheap_pence, standard_pence, zone)

    def message(self, invite: Invite, *, is_update: bool) -> bytes:
        """A mail with a text for people and the event for their calendars."""
        from email.headerregistry import Address
        from email.message import EmailMessage
        from email.policy import SMTP

        revision = invite.revision
        mail = EmailMessage(policy=SMTP)  # any other policy would end base64 lines with a bare line feed
        mail["From"] = Address(CALENDAR_NAME, addr_spec=self._sender)
        mail["To"] = Address(addr_spec=self._recipient)
        mail["Subject"] = self._words.subject(revision, is_update=is_update)
        mail["Date"] = _require_utc(revision.stamped_at)
        mail["Message-ID"] = f"<{invite.uid}.{revision.sequence}@{self._host}>"
        mail["References"] = f"<{invite.uid}@{self._host}>"  # never sent itself; it keeps an event's mails together
        mail.set_content(f"{self._words.description(revision)}\n", cte="quoted-printable")
        mail.add_alternative(
            self._request(invite).to_ical().decode(),
            subtype="calendar",
            cte="base64",
            params={"method": str(revision.method), "component": "VEVENT"},
        )
        mail.set_boundary(f"=_{invite.uid}.{revision.sequence}")
        return mail.as_bytes()

    def feed(self, invites: Sequence[Invite]) -> bytes:
        """A calendar with all these events, cancelled ones marked so."""
        calendar = _create_calendar()
        calendar.add("name", CALENDAR_NAME)
        calendar.add("x-wr-calname", CALENDAR_NAME)
        calendar["REFRESH-INTERVAL;VALUE=DURATION"] = "PT1H"
        calendar["X-PUBLISHED-TTL"] = "PT1H"
        for invite in invites:
            calendar.add_component(self._event(invite))
        written: bytes = calendar.to_ical()
        return written

    def _request(self, invite: Invite) -> "Calendar":
        from icalendar import vCalAddress, vText

        calendar, event = _create_calendar(), self._event(invite)
        calendar.add("method", str(invite.revision.method))
        organiser = vCalAddress(f"mailto:{self._sender}")
        organiser.params["CN"] = vText(CALENDAR_NAME)
        event.add("organizer", organiser)
        attendee = vCalAddress(f"mailto:{self._recipient}")
        attendee.params.update(CUTYPE="INDIVIDUAL", ROLE="REQ-PARTICIPANT", PARTSTAT="NEEDS-ACTION", RSVP="FALSE")
        event.add("attendee", attendee)
        calendar.add_component(event)
        return calendar

    def _event(self, invite: Invite) -> "Event":
        from icalendar import Event

        revision = invite.revision
        event = Event()
        event.add("uid", invite.uid)
        event.add("sequence", revision.sequence)
        event.add("dtstamp", _require_utc(revision.stamped_at))
        event.add("last-modified", _require_utc(revision.stamped_at))
        event.add("dtstart", _require_utc(revision.starts_at))
        event.add("dtend", _require_utc(revision.ends_at))
        event.add("summary", self._words.summary(revision))
        event.add("description", self._words.description(revision))
        event.add("status", _event_status(revision))
        event.add("transp", "TRANSPARENT")  # nobody is busy while the car charges
        return event

    @property
    def _host(self) -> str:
        return self._sender.rpartition("@")[2]


def _create_calendar() -> "Calendar":
    from icalendar import Calendar

    calendar = Calendar()
    calendar.add("prodid", ICS_PRODUCT_ID)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    return calendar


def _event_status(revision: EventRevision) -> str:
    return "CANCELLED" if revision.method is InviteMethod.CANCEL else "CONFIRMED"


def _require_utc(moment: datetime) -> datetime:
    """The library writes a naive time as local, and an offset as a zone that nobody knows."""
    if moment.tzinfo is None:
        raise ValueError(f"an instant without a time zone: {moment}")
    return moment.astimezone(UTC)
