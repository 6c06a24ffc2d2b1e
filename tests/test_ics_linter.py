"""The strict reader finds what it is there to find: every spoilt mail is complained of."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ics_linter import MAIL_DUMP_VARIABLE, calendar_object, dump_mail, find_mail_errors

from smartcharge.policy.calendar import EventRevision, Invite, InviteMethod
from smartcharge.providers.ical import IcalInviteWriter

START = datetime(2026, 12, 1, 19, 30, tzinfo=UTC)
WRITER = IcalInviteWriter(
    sender="house@example.com",
    recipient="family@example.com",
    cheap_pence=6.19,
    standard_pence=26.073,
    zone="Europe/London",
)


def mail(method: InviteMethod = InviteMethod.REQUEST) -> bytes:
    revision = EventRevision(START, 3, method, START, START + timedelta(minutes=90), START - timedelta(hours=1), 10.8)
    return WRITER.message(Invite("0b1c", revision), is_update=True)


def spoilt(change: Callable[[bytes], bytes], method: InviteMethod = InviteMethod.REQUEST) -> bytes:
    """A mail whose calendar object was changed."""
    raw = mail(method)
    content = calendar_object(raw)
    changed = change(content)
    assert changed != content
    return raw.replace(
        base64.encodebytes(content).replace(b"\n", b"\r\n"), base64.encodebytes(changed).replace(b"\n", b"\r\n")
    )


def swapped(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda content: content.replace(old, new)


CHANGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "a bare line feed": (swapped(b"\r\n", b"\n"), "CRLF"),
    "a long line": (swapped(b"SEQUENCE:3", b"SEQUENCE:3" + b"3" * 80), "octets"),
    "local time": (swapped(b"DTSTART:20261201T193000Z", b"DTSTART:20261201T193000"), "not in UTC"),
    "a time zone": (swapped(b"DTSTART:", b"DTSTART;TZID=Europe/London:"), "TZID"),
    "no DTSTAMP": (swapped(b"DTSTAMP:20261201T183000Z\r\n", b""), "DTSTAMP is there 0 times"),
    "DTSTAMP not in UTC": (swapped(b"DTSTAMP:20261201T183000Z", b"DTSTAMP:20261201T183000"), "not in UTC"),
    "an end before its start": (swapped(b"DTEND:20261201T210000Z", b"DTEND:20261201T193000Z"), "ends before"),
    "two starts": (swapped(b"DTSTART:", b"DTSTART:20261201T193000Z\r\nDTSTART:"), "DTSTART is there 2 times"),
    "another method than the mail's": (swapped(b"METHOD:REQUEST", b"METHOD:PUBLISH"), "the mail says REQUEST"),
    "an unescaped comma": (swapped(rb"GMT\, about", b"GMT, about"), "not escaped"),
    "a stray backslash": (swapped(b"Cheap charging", rb"Cheap\q charging"), "not escaped"),
    "a control character": (swapped(b"Cheap charging", b"Cheap\x0bcharging"), "control character"),
    "a half line": (swapped(b"STATUS:CONFIRMED", b"STATUS:CONFIRMED\r\nhello"), "no content line"),
    "the wrong status": (swapped(b"CONFIRMED", b"CANCELLED"), "with status"),
    "another organiser": (swapped(b"mailto:house@", b"mailto:mouse@"), "ORGANIZER is"),
    "another attendee": (swapped(b"mailto:family@", b"mailto:fame@"), "ATTENDEE is"),
    "a UID with a host in it": (swapped(b"UID:0b1c", b"UID:0b1c@host"), "the UID is"),
    "an X- property": (swapped(b"TRANSP:", b"X-OURS:1\r\nTRANSP:"), "our own making"),
}
ALARM = b"BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT"


@pytest.mark.parametrize("method", InviteMethod)
def test_our_own_mails_are_without_fault(method: InviteMethod) -> None:
    assert find_mail_errors(mail(method)) == []


@pytest.mark.parametrize("name", CHANGES)
def test_what_a_lenient_calendar_lets_pass_is_complained_of(name: str) -> None:
    change, complaint = CHANGES[name]
    assert any(complaint in each for each in find_mail_errors(spoilt(change)))


def test_an_alarm_in_a_cancellation_is_complained_of() -> None:
    spoilt_mail = spoilt(swapped(b"END:VEVENT", ALARM), InviteMethod.CANCEL)
    assert "there is more, or less, than one event" in find_mail_errors(spoilt_mail)


def test_a_character_folded_in_two_is_complained_of() -> None:
    torn = spoilt(swapped("£".encode(), b"\xc2\r\n \xa3"))
    assert any("inside a character" in each for each in find_mail_errors(torn))


@pytest.mark.parametrize("header", [b"Cc: x@example.com\r\n", b"To: x@example.com\r\n"])
def test_a_second_recipient_is_complained_of(header: bytes) -> None:
    assert find_mail_errors(header + mail()) != []


def test_mails_are_kept_for_other_judges_where_a_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MAIL_DUMP_VARIABLE, str(tmp_path / "mails"))
    dump_mail(mail())
    dump_mail(mail())

    assert [each.read_bytes() for each in (tmp_path / "mails").iterdir()] == [mail()]
