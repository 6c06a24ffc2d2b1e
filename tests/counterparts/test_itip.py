"""What libical, which nobody here wrote, says of our mails; it runs under the system's Python, where that has it."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from smartcharge.policy.calendar import EventRevision, Invite, InviteMethod
from smartcharge.providers.ical import IcalInviteWriter

PYTHON = "/usr/bin/python3"
JUDGE = Path(__file__).resolve().parents[2] / ".ci" / "check_itip.py"
HAS_LIBICAL = "import gi; gi.require_version('ICalGLib', '3.0'); from gi.repository import ICalGLib"
START = datetime(2026, 12, 1, 19, 30, tzinfo=UTC)
FIRST = EventRevision(
    START, 0, InviteMethod.REQUEST, START, START + timedelta(minutes=90), START - timedelta(hours=1), 10.8
)


def has_libical() -> bool:
    try:
        return subprocess.run([PYTHON, "-c", HAS_LIBICAL], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


pytestmark = pytest.mark.skipif(not has_libical(), reason="python3-gi and gir1.2-ical-3.0 are not installed")


def judge(folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([PYTHON, JUDGE, folder], capture_output=True, text=True, check=False)


def mails() -> list[bytes]:
    """Request, update, trim and cancel."""
    writer = IcalInviteWriter(
        sender="house@example.com",
        recipient="family@example.com",
        cheap_pence=6.19,
        standard_pence=26.073,
        zone="Europe/London",
    )
    revisions = (
        FIRST,
        replace(FIRST, sequence=1, ends_at=START + timedelta(hours=2)),
        replace(FIRST, sequence=2, ends_at=START + timedelta(minutes=30)),
        replace(FIRST, sequence=3, method=InviteMethod.CANCEL),
    )
    return [writer.message(Invite("0b1c", each), is_update=each.sequence > 0) for each in revisions]


def test_libical_finds_no_fault_with_request_update_trim_and_cancel(tmp_path: Path) -> None:
    for number, raw in enumerate(mails()):
        (tmp_path / f"{number}.eml").write_bytes(raw)

    verdict = judge(tmp_path)
    assert (verdict.returncode, verdict.stdout) == (0, "iTIP: 4 mails, 0 complaints\n")


def test_libical_refuses_a_mail_without_an_organiser(tmp_path: Path) -> None:
    (tmp_path / "spoilt.eml").write_bytes(
        b"Content-Type: text/calendar; method=REQUEST\r\n\r\n"
        b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1\r\n"
        b"DTSTAMP:20261201T183000Z\r\nDTSTART:20261201T193000Z\r\nSUMMARY:x\r\nATTENDEE:mailto:b@example.com\r\n"
        b"END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    verdict = judge(tmp_path)
    assert verdict.returncode == 1
    assert "ORGANIZER" in verdict.stdout


def test_nothing_to_judge_is_no_acquittal(tmp_path: Path) -> None:
    assert judge(tmp_path).returncode == 1
