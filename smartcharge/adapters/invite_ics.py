"""Invites as calendars understand them: iCalendar (RFC 5545) in iMIP mails (RFC 6047), or in a file to subscribe to.

All times are written in UTC, which needs no time zone definition and has no hour twice. The same invite gives the
same bytes on every machine and in every run.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from smartcharge.adapters._invite_text import Words
from smartcharge.core.calendar import Invite, Method, Revision

if TYPE_CHECKING:
    from icalendar import Calendar, Event

PRODUCT = "-//smartcharge//house charging//EN"
NAME = "House charging"
"""Letters and blanks only: some clients cut a quoted name at the first semicolon."""


class IcsInvites:
    """Writes invites down. sender, recipient: bare addresses, None where there are no mails."""

    def __init__(
        self, *, sender: str | None, recipient: str | None, cheap_pence: float, standard_pence: float, zone: str
    ) -> None:
        self._sender = sender or ""
        self._recipient = recipient or ""
        self._words = Words(cheap_pence, standard_pence, zone)

    def message(self, invite: Invite, *, is_update: bool) -> bytes:
        """A mail with a text for people and the event for their calendars."""
        from email.headerregistry import Address
        from email.message import EmailMessage
        from email.policy import SMTP

        revision = invite.revision
        mail = EmailMessage(policy=SMTP)  # any other policy would end base64 lines with a bare line feed
        mail["From"] = Address(NAME, addr_spec=self._sender)
        mail["To"] = Address(addr_spec=self._recipient)
        mail["Subject"] = self._words.subject(revision, is_update=is_update)
        mail["Date"] = _utc(revision.stamped_at)
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
        calendar = _calendar()
        calendar.add("name", NAME)
        calendar.add("x-wr-calname", NAME)
        calendar["REFRESH-INTERVAL;VALUE=DURATION"] = "PT1H"
        calendar["X-PUBLISHED-TTL"] = "PT1H"
        for invite in invites:
            calendar.add_component(self._event(invite))
        written: bytes = calendar.to_ical()
        return written

    def _request(self, invite: Invite) -> "Calendar":
        from icalendar import vCalAddress, vText

        calendar, event = _calendar(), self._event(invite)
        calendar.add("method", str(invite.revision.method))
        organiser = vCalAddress(f"mailto:{self._sender}")
        organiser.params["CN"] = vText(NAME)
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
        event.add("dtstamp", _utc(revision.stamped_at))
        event.add("last-modified", _utc(revision.stamped_at))
        event.add("dtstart", _utc(revision.starts_at))
        event.add("dtend", _utc(revision.ends_at))
        event.add("summary", self._words.summary(revision))
        event.add("description", self._words.description(revision))
        event.add("status", _status(revision))
        event.add("transp", "TRANSPARENT")  # nobody is busy while the car charges
        return event

    @property
    def _host(self) -> str:
        return self._sender.rpartition("@")[2]


def _calendar() -> "Calendar":
    from icalendar import Calendar

    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    return calendar


def _status(revision: Revision) -> str:
    return "CANCELLED" if revision.method is Method.CANCEL else "CONFIRMED"


def _utc(moment: datetime) -> datetime:
    """The library writes a naive time as local, and an offset as a zone that nobody knows."""
    if moment.tzinfo is None:
        raise ValueError(f"an instant without a time zone: {moment}")
    return moment.astimezone(UTC)
