"""Invites, octet by octet and as the family reads them."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes
from email.policy import SMTP

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ics_linter import check_mail, find_mail_errors, find_object_errors, parse_mail, unfold_lines
from msgspec.structs import replace

from smartcharge.policy.calendar import EventRevision, Invite, InviteMethod
from smartcharge.providers.ical import IcalInviteWriter

UID = "8c4f0d0e-aaaa-5bbb-8ccc-0123456789ab"
WRITER = IcalInviteWriter(
    sender="house@example.com",
    recipient="family@example.com",
    cheap_pence=6.19,
    standard_pence=26.073,
    zone="Europe/London",
)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def invite(
    start: str, end: str, energy_kwh: float | None = 10.8, method: InviteMethod = InviteMethod.REQUEST, no: int = 0
) -> Invite:
    stamp = moment(start).astimezone(UTC) - timedelta(hours=1)
    return Invite(UID, EventRevision(moment(start), no, method, moment(start), moment(end), stamp, energy_kwh))


EVENING = invite("2026-12-01T19:30Z", "2026-12-01T21:00Z")


def test_a_request_holds_all_that_a_calendar_needs() -> None:
    event = check_mail(WRITER.message(EVENING, is_update=False))

    assert (event.method, event.uid, event.sequence, event.status) == ("REQUEST", UID, 0, "CONFIRMED")
    assert (event.starts_at, event.ends_at) == (EVENING.revision.starts_at, EVENING.revision.ends_at)
    assert event.stamped_at == EVENING.revision.stamped_at


def test_a_cancellation_says_so_in_all_three_places() -> None:
    cancelled = replace(EVENING, revision=replace(EVENING.revision, method=InviteMethod.CANCEL, sequence=4))
    raw = WRITER.message(cancelled, is_update=True)
    event = check_mail(raw)

    assert (event.method, event.status, event.sequence) == ("CANCEL", "CANCELLED", 4)
    assert (event.starts_at, event.ends_at) == (EVENING.revision.starts_at, EVENING.revision.ends_at)
    assert message_from_bytes(raw, policy=SMTP)["Subject"].startswith("Cancelled: ")


def test_the_family_reads_times_energy_rates_and_saving() -> None:
    event = parse_mail(WRITER.message(EVENING, is_update=False))

    assert event.summary == "Cheap charging 19:30-21:00 GMT, about 10.8 kWh"
    for line in (
        "When: Tuesday 1 December 2026, 19:30 GMT - 21:00 GMT",
        "Energy: about 10.8 kWh into the car",
        "Rates: 6.19p per kWh instead of 26.073p",
        "Saving: 19.883p on every kWh, about £2.15 for this window",
    ):
        assert line in event.description
        assert line in event.text


@pytest.mark.parametrize("energy_kwh", [None, 0.0, 0.01])
def test_unknown_energy_is_left_out(energy_kwh: float | None) -> None:
    event = check_mail(WRITER.message(invite("2026-12-01T19:30Z", "2026-12-01T21:00Z", energy_kwh), is_update=False))

    assert event.summary == "Cheap charging 19:30-21:00 GMT"
    assert "Energy" not in event.text
    assert "Saving: 19.883p on every kWh" in event.text.splitlines()


def test_where_nothing_is_saved_nothing_is_promised() -> None:
    dear = IcalInviteWriter(
        sender="a@example.com", recipient="b@example.com", cheap_pence=30, standard_pence=26, zone="Europe/London"
    )
    assert "Saving" not in check_mail(dear.message(EVENING, is_update=False)).text


CLOCKS = {
    "an hour that comes twice": (
        "2026-10-25T00:30Z", "2026-10-25T01:30Z", "01:30 BST - 01:30 GMT", "Cheap charging 01:30 BST - 01:30 GMT"),
    "an hour that is left out": (
        "2027-03-28T00:45Z", "2027-03-28T01:15Z", "00:45 GMT - 02:15 BST", "Cheap charging 00:45 GMT - 02:15 BST"),
    "a summer's evening": (
        "2026-07-01T19:30Z", "2026-07-01T20:30Z", "20:30 BST - 21:30 BST", "Cheap charging 20:30-21:30 BST"),
}  # fmt: skip


@pytest.mark.parametrize("name", CLOCKS)
def test_the_wall_clock_is_never_in_doubt_and_the_calendar_has_utc(name: str) -> None:
    start, end, in_text, in_summary = CLOCKS[name]
    event = check_mail(WRITER.message(invite(start, end, None), is_update=False))

    assert in_text in event.text
    assert event.summary == in_summary
    assert (event.starts_at, event.ends_at) == (moment(start), moment(end))


def test_an_offset_makes_no_difference() -> None:
    there = timezone(timedelta(hours=1))
    revision = EVENING.revision
    shifted = replace(
        revision,
        starts_at=revision.starts_at.astimezone(there),
        ends_at=revision.ends_at.astimezone(there),
        stamped_at=revision.stamped_at.astimezone(there),
    )
    assert WRITER.message(replace(EVENING, revision=shifted), is_update=False) == WRITER.message(
        EVENING, is_update=False
    )


def test_a_time_without_a_zone_is_refused() -> None:
    naive = replace(EVENING.revision, starts_at=EVENING.revision.starts_at.replace(tzinfo=None))
    with pytest.raises(ValueError, match="without a time zone"):
        WRITER.message(replace(EVENING, revision=naive), is_update=False)


def test_another_process_writes_the_same_octets() -> None:
    script = (
        "import sys; sys.path[:0] = sys.argv[1:]; import test_ical as t;"
        "sys.stdout.buffer.write(t.WRITER.message(t.EVENING, is_update=False))"
    )
    other = subprocess.run([sys.executable, "-c", script, *sys.path], capture_output=True, check=True)

    assert other.stdout == WRITER.message(EVENING, is_update=False)


def test_the_mails_of_an_event_hang_together_and_each_has_its_own_name() -> None:
    update = replace(EVENING, revision=replace(EVENING.revision, sequence=1))
    first, second = (
        message_from_bytes(WRITER.message(each, is_update=False), policy=SMTP) for each in (EVENING, update)
    )
    assert first["References"] == second["References"]
    assert first["Message-ID"] != second["Message-ID"]
    assert (first["To"], first["From"]) == ("family@example.com", "House charging <house@example.com>")
    assert first["Date"].datetime == EVENING.revision.stamped_at


def test_an_update_says_so_in_its_subject_and_nowhere_else() -> None:
    first, update = (WRITER.message(EVENING, is_update=updating) for updating in (False, True))
    assert message_from_bytes(update, policy=SMTP)["Subject"].startswith("Updated: Cheap charging")
    assert parse_mail(update) == parse_mail(first)


@pytest.mark.parametrize("recipient", ["family+ev@example.com", "house@example.com", "o'neil_x.y-z@sub.example.co.uk"])
def test_any_plain_address_is_written_as_it_is(recipient: str) -> None:
    writer = IcalInviteWriter(
        sender="house@example.com", recipient=recipient, cheap_pence=6, standard_pence=26, zone="Europe/London"
    )
    assert find_mail_errors(writer.message(EVENING, is_update=False)) == []


MINUTES = st.integers(0, 2 * 366 * 24 * 60)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    MINUTES, st.integers(1, 1440), st.none() | st.floats(0, 1e4), st.sampled_from(InviteMethod), st.integers(0, 10**6)
)
def test_no_revision_gives_a_mail_with_a_fault(
    start: int, length: int, energy_kwh: float | None, method: InviteMethod, sequence: int
) -> None:
    begins = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=start)
    revision = EventRevision(begins, sequence, method, begins, begins + timedelta(minutes=length), begins, energy_kwh)
    event = check_mail(WRITER.message(Invite(UID, revision), is_update=False))

    assert (event.starts_at, event.ends_at, event.sequence) == (revision.starts_at, revision.ends_at, sequence)


def test_a_feed_has_the_same_events_without_addresses() -> None:
    gone = replace(invite("2026-12-02T13:00Z", "2026-12-02T14:00Z", method=InviteMethod.CANCEL, no=2), uid="other")
    content = WRITER.feed([EVENING, gone])
    lines = unfold_lines(content)

    assert list(find_object_errors(content)) == []
    assert [line.value for line in lines if line.name == "UID"] == [UID, "other"]
    assert [line.value for line in lines if line.name == "STATUS"] == ["CONFIRMED", "CANCELLED"]
    assert {"METHOD", "ATTENDEE", "ORGANIZER"} & {line.name for line in lines} == set()
    assert b"@" not in content


def test_a_feed_needs_no_mail_account() -> None:
    writer = IcalInviteWriter(sender=None, recipient=None, cheap_pence=6, standard_pence=26, zone="Europe/London")
    assert b"BEGIN:VEVENT" in writer.feed([EVENING])
