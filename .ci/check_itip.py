"""Ask libical, which nobody here wrote, whether the invite mails in a folder are valid iTIP (RFC 5546, section 3.2).

Run with the system's Python: /usr/bin/python3 .ci/check_itip.py FOLDER
It needs the Debian packages python3-gi and gir1.2-ical-3.0.
"""

import sys
from email import message_from_bytes
from pathlib import Path

import gi
from gi.repository import ICalGLib  # only after the version is chosen

# ruff: noqa: INP001, T201 - a script that prints


gi.require_version("ICalGLib", "3.0")

WITHOUT_STAMP = """BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//nobody//EN\r
METHOD:REQUEST\r
BEGIN:VEVENT\r
UID:1\r
DTSTART:20261201T193000Z\r
DTEND:20261201T210000Z\r
SUMMARY:a judge must refuse this\r
ORGANIZER:mailto:a@example.com\r
ATTENDEE:mailto:b@example.com\r
SEQUENCE:0\r
STATUS:CONFIRMED\r
END:VEVENT\r
END:VCALENDAR\r
"""


def complaints(text: str) -> list[str]:
    """What libical says against a calendar object."""
    component = ICalGLib.Component.new_from_string(text)
    if component is None:
        return ["it is no calendar object"]
    if component.check_restrictions() == 1:
        return []
    lines = component.as_ical_string().replace("\r\n ", "").splitlines()
    return [line for line in lines if line.startswith("X-LIC-ERROR")] or ["refused without a reason"]


def objects(mail: Path) -> list[str]:
    """The calendar objects of a mail."""
    parts = message_from_bytes(mail.read_bytes()).walk()
    return [p.get_payload(decode=True).decode() for p in parts if p.get_content_type() == "text/calendar"]


def main(folder: Path) -> int:
    """Check every mail; exit 1 where one is refused, or where the judge is blind or has nothing to judge."""
    mails = sorted(folder.glob("*.eml"))
    found = [(mail.name, each) for mail in mails for text in objects(mail) for each in complaints(text)]
    found += [(mail.name, "no calendar object") for mail in mails if not objects(mail)]
    for name, complaint in found:
        print(f"{name}: {complaint}")
    if not mails:
        print(f"no mails in {folder}")
    if not complaints(WITHOUT_STAMP):
        print("libical accepts an object without DTSTAMP: it judges nothing")
        return 1
    print(f"iTIP: {len(mails)} mails, {len(found)} complaints")
    return 1 if found or not mails else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
