"""A strict reader of invite mails: everything the standards ask for and lenient calendars let pass.

RFC 5545 (iCalendar), RFC 5546 (iTIP), RFC 6047 (iMIP). `complaints` names what is wrong; a mail without fault gives
none. With SMARTCHARGE_MAIL_DUMP set to a folder, `keep` leaves a copy of every mail there for other judges.
"""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

MAIL_DUMP_VARIABLE = "SMARTCHARGE_MAIL_DUMP"
MAX_LINE_OCTETS = 75
UTC_TIME = re.compile(r"[0-9]{8}T[0-9]{6}Z")
UID = re.compile(r"[A-Za-z0-9-]{1,254}")
CONTENT_LINE = re.compile(
    r"(?P<name>[A-Z-]+)(?P<params>(?:;[A-Z-]+=(?:\"[^\"\x00-\x08\x0a-\x1f]*\"|[^\";:,\x00-\x1f]*))*):(?P<value>.*)",
    re.DOTALL,
)
UNESCAPED = re.compile(r"(?<!\\)(?:\\\\)*[,;]")
BAD_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\(?![\\;,nN])")
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
REQUIRED_ONCE = ("UID", "DTSTAMP", "DTSTART", "DTEND", "SEQUENCE", "ORGANIZER", "ATTENDEE", "SUMMARY", "STATUS")
AT_MOST_ONCE = ("DESCRIPTION", "LOCATION", "TRANSP", "LAST-MODIFIED", "URL", "CREATED")
TEXT_PROPERTIES = ("SUMMARY", "DESCRIPTION", "LOCATION")
TIME_PROPERTIES = ("DTSTAMP", "DTSTART", "DTEND", "LAST-MODIFIED")
STATUS_BY_METHOD = {"REQUEST": ("CONFIRMED", "TENTATIVE"), "CANCEL": ("CANCELLED",)}


@dataclass(frozen=True, slots=True)
class ContentLine:
    """One unfolded content line."""

    name: str
    params: str
    value: str


@dataclass(frozen=True, slots=True)
class InviteMail:
    """What a mail tells a calendar."""

    method: str
    uid: str
    sequence: int
    starts_at: datetime
    ends_at: datetime
    stamped_at: datetime
    status: str
    summary: str
    description: str
    text: str


def find_mail_errors(raw: bytes) -> list[str]:
    """Everything that is wrong with a mail, headers to last octet."""
    mail = _parse_message(raw)
    parts = [part.get_content_type() for part in mail.walk()]
    if parts != ["multipart/alternative", "text/plain", "text/calendar"]:
        return [*_lines_errors(raw, 998), f"the parts are {parts}"]
    return [*_lines_errors(raw, 998), *_header_errors(mail), *_calendar_errors(mail, calendar_object(raw))]


def dump_mail(raw: bytes) -> None:
    """Leave a copy for the judges that are asked after the tests."""
    if folder := os.environ.get(MAIL_DUMP_VARIABLE):
        Path(folder).mkdir(parents=True, exist_ok=True)
        Path(folder, f"{hashlib.sha256(raw).hexdigest()[:24]}.eml").write_bytes(raw)


def check_mail(raw: bytes) -> InviteMail:
    """Keep a mail, find no fault with it, and read it."""
    dump_mail(raw)
    assert find_mail_errors(raw) == []
    return parse_mail(raw)


def calendar_object(raw: bytes) -> bytes:
    """The calendar object of a mail, as it is after decoding."""
    (part,) = (part for part in _parse_message(raw).walk() if part.get_content_type() == "text/calendar")
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


def parse_mail(raw: bytes) -> InviteMail:
    """Read a mail that is in order."""
    found = {line.name: line.value for line in unfold_lines(calendar_object(raw))}
    text = _parse_message(raw).get_body(("plain",))
    assert text is not None
    return InviteMail(
        method=found["METHOD"],
        uid=found["UID"],
        sequence=int(found["SEQUENCE"]),
        starts_at=_parse_utc_time(found["DTSTART"]),
        ends_at=_parse_utc_time(found["DTEND"]),
        stamped_at=_parse_utc_time(found["DTSTAMP"]),
        status=found["STATUS"],
        summary=unescape_text(found["SUMMARY"]),
        description=unescape_text(found.get("DESCRIPTION", "")),
        text=text.get_content(),
    )


def unescape_text(value: str) -> str:
    """A TEXT value without its escapes."""
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] in "nN" else found[1], value)


def unfold_lines(content: bytes) -> list[ContentLine]:
    """The content lines of an object; what is no content line has no name."""
    lines = re.sub(rb"\r\n[ \t]", b"", content).decode(errors="replace").split("\r\n")
    return [
        ContentLine(*found.groups()) if (found := CONTENT_LINE.fullmatch(line)) else ContentLine("", "", line)
        for line in lines
    ]


def find_object_errors(content: bytes) -> Iterator[str]:
    """What is wrong with the octets of a calendar object, whatever it is for."""
    yield from _lines_errors(content, MAX_LINE_OCTETS)
    if not content.endswith(b"END:VCALENDAR\r\n"):
        yield "the object does not end with END:VCALENDAR and CRLF"
    for number, octets in enumerate(content.split(b"\r\n"), 1):
        try:
            octets.decode()
        except UnicodeDecodeError:
            yield f"line {number} is folded inside a character"
    for line in unfold_lines(content)[:-1]:
        yield from _line_errors(line)


def _line_errors(line: ContentLine) -> Iterator[str]:
    if not line.name:
        yield f"no content line: {line.value!r}"
    if CONTROL.search(line.value):
        yield f"{line.name} holds a control character"
    if line.name in TEXT_PROPERTIES and (UNESCAPED.search(line.value) or BAD_ESCAPE.search(line.value)):
        yield f"{line.name} is not escaped: {line.value!r}"
    if line.name in TIME_PROPERTIES and not UTC_TIME.fullmatch(line.value):
        yield f"{line.name} is not in UTC: {line.value}"
    if "TZID" in line.params:
        yield f"{line.name} has a TZID"


def _lines_errors(content: bytes, most: int) -> Iterator[str]:
    if re.search(rb"(?<!\r)\n|\r(?!\n)", content):
        yield "a line does not end with CRLF"
    for number, line in enumerate(content.split(b"\r\n"), 1):
        if len(line) > most:
            yield f"line {number} has {len(line)} octets"


def _header_errors(mail: EmailMessage) -> Iterator[str]:
    for name in ("From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"):
        if len(mail.get_all(name, [])) != 1:
            yield f"{name} is there {len(mail.get_all(name, []))} times"
    yield from (f"there is a {name}" for name in ("Cc", "Bcc") if name in mail)
    text, calendar = mail.iter_parts()
    if text["Content-Transfer-Encoding"] not in {"quoted-printable", "base64", "7bit"}:
        yield "the text is not fit for every path"
    if calendar["Content-Transfer-Encoding"] != "base64" or "Content-Disposition" in calendar:
        yield "the calendar is no plain base64 part"
    if str(calendar.get_param("charset")).lower() != "utf-8":
        yield "the calendar part does not say that it is UTF-8"


def _calendar_errors(mail: EmailMessage, content: bytes) -> Iterator[str]:
    yield from find_object_errors(content)
    lines = unfold_lines(content)
    count = Counter(line.name for line in lines)
    found = {line.name: line.value for line in lines}
    yield from (f"{name} is there {count[name]} times" for name in REQUIRED_ONCE if count[name] != 1)
    yield from (f"{name} is there {count[name]} times" for name in AT_MOST_ONCE if count[name] > 1)
    yield from (f"{name} is there {count[name]} times" for name in ("METHOD", "PRODID", "VERSION") if count[name] != 1)
    if [line.value for line in lines if line.name == "BEGIN"] != ["VCALENDAR", "VEVENT"]:
        yield "there is more, or less, than one event"
    if any(name.startswith("X-") for name in count):
        yield "there is something of our own making"
    if not set(REQUIRED_ONCE) - count.keys() and count["METHOD"]:
        yield from _event_errors(mail, found)


def _event_errors(mail: EmailMessage, found: dict[str, str]) -> Iterator[str]:
    _, calendar = mail.iter_parts()
    method = found["METHOD"]
    if str(calendar.get_param("method")).upper() != method:
        yield f"the mail says {calendar.get_param('method')}, the object {method}"
    if found["STATUS"] not in STATUS_BY_METHOD.get(method, ()):
        yield f"{method} with status {found['STATUS']}"
    if found["DTEND"] <= found["DTSTART"]:
        yield "it ends before it starts"
    if not UID.fullmatch(found["UID"]):
        yield f"the UID is {found['UID']}"
    if not re.fullmatch(r"[0-9]+", found["SEQUENCE"]):
        yield f"the sequence is {found['SEQUENCE']}"
    for header, name in (("From", "ORGANIZER"), ("To", "ATTENDEE")):
        addresses = [f"mailto:{address.addr_spec}" for address in mail[header].addresses]
        if addresses != [found[name]]:
            yield f"{header} is {addresses}, {name} is {found[name]}"


def _parse_message(raw: bytes) -> EmailMessage:
    mail = message_from_bytes(raw, policy=SMTP)
    assert isinstance(mail, EmailMessage)
    return mail


def _parse_utc_time(value: str) -> datetime:
    return datetime.strptime(value, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
