"""What the family's calendar should say, case by case; all times are a winter day's in London unless said."""

from datetime import date, datetime, timedelta

import pytest
from state_words import CHEAP_PERIOD, DAY, at

from smartcharge.policy.calendar import (
    CalendarDispatch,
    CalendarInputs,
    EventRevision,
    HoldRecord,
    InviteMethod,
    due_revisions,
    invite_address_warnings,
)
from smartcharge.policy.polling import local_day_start, mail_retry_at

SUMMER = date(2026, 7, 8)


def planned(words: str, day: date = DAY) -> CalendarDispatch:
    """Read "13:00-16:00", then "from 12:30" for a revised start, "seen 11:00", and "7.2 kWh"."""
    span, *rest = words.split()
    starts, ends = span.split("-")
    said = dict(zip(rest[::2], rest[1::2], strict=True))
    return CalendarDispatch(
        at(starts, day),
        at(ends, day),
        first_start=at(said.get("from", starts), day),
        first_seen_at=at(said.get("seen", "10:00"), day),
        energy_kwh=next((float(number) for number, unit in said.items() if unit == "kWh"), None),
    )


def held(words: str, day: date = DAY) -> HoldRecord:
    """Read "13:05-13:30" for an open hold, and "13:05-13:30 closed 13:28:30"."""
    span, *rest = words.split()
    opened, until = span.split("-")
    return HoldRecord(at(opened, day), at(until, day), at(rest[1], day) if rest else None)


def told(words: str, day: date = DAY) -> EventRevision:
    """Read "13:00-16:00", then "cancelled", "named 12:30", "no 3", and "7.2 kWh"."""
    span, *rest = words.split()
    starts, ends = span.split("-")
    said = dict(zip(rest[::2], rest[1::2], strict=True))
    return EventRevision(
        at(said.get("named", starts), day),
        int(said.get("no", "0")),
        InviteMethod[said.get("as", "REQUEST")],
        at(starts, day),
        at(ends, day),
        stamped_at=at("11:00", day),
        energy_kwh=next((float(number) for number, unit in said.items() if unit == "kWh"), None),
    )


def evidence(
    when: str, plan: str, holds: str = "", known: str = "", *, early: bool = False, day: date = DAY
) -> CalendarInputs:
    """Lists with commas between."""
    now = at(when, day)
    return CalendarInputs(
        now=now,
        since=now - timedelta(days=3),
        cheap_period=CHEAP_PERIOD,
        plan=tuple(planned(words, day) for words in plan.split(", ") if words),
        holds=tuple(held(words, day) for words in holds.split(", ") if words),
        known=tuple(told(words, day) for words in known.split(", ") if words),
        show_planned=early,
    )


def words(revisions: tuple[EventRevision, ...], day: date = DAY) -> str:
    """Say revisions in short: "REQUEST 0 13:00-16:00"."""
    return ", ".join(f"{r.method} {r.sequence} {_clock(r.starts_at, day)}-{_clock(r.ends_at, day)}" for r in revisions)


def _clock(moment: datetime, day: date) -> str:
    minutes = (moment - at("00:00", day)) // timedelta(minutes=1)
    return f"{minutes // 60:02}:{minutes % 60:02}"


CHARGING = {
    # now, the plan, what was held, what the calendar was told, what is due
    "nothing planned, nothing told": ("13:05", "", "", "", ""),
    "a plan alone is no news": ("13:05", "13:00-16:00", "", "", ""),
    "a hold announces its window": ("13:05", "13:00-16:00", "13:05-13:30", "", "REQUEST 0 13:00-16:00"),
    "once": ("13:06", "13:00-16:00", "13:05-13:30", "13:00-16:00", ""),
    "a renewed hold is no news": ("13:29", "13:00-16:00", "13:05-14:00", "13:00-16:00", ""),
    "an end that moves": ("13:20", "13:00-15:00", "13:05-13:30", "13:00-16:00", "REQUEST 1 13:00-15:00"),
    "a start that moves earlier": (
        "13:20", "12:30-16:00 from 13:00", "13:05-13:30", "13:00-16:00", "REQUEST 1 12:30-16:00"),
    "a start that moves away from what was charged": (
        "13:35", "13:30-16:00 from 13:00", "13:05-14:00", "13:00-16:00", ""),
    "a car that stops": ("14:00", "13:00-16:00", "13:05-14:00 closed 13:58:30", "13:00-16:00", "REQUEST 1 13:00-14:00"),
    "and stays stopped": ("15:00", "13:00-16:00", "13:05-14:00 closed 13:58:30", "13:00-14:00 no 1", ""),
    "a car that starts again": (
        "15:05", "13:00-16:00", "13:05-14:00 closed 13:58:30, 15:05-15:30", "13:00-14:00 no 1",
        "REQUEST 2 13:00-16:00"),
    "a window that moves on after the car has stopped is another one": (
        "14:05", "14:00-16:00 from 13:00", "13:05-13:30 closed 13:28:30, 14:05-14:30", "13:00-13:30 no 1",
        "REQUEST 0 14:00-16:00"),
    "a window that falls into two where it is charged stays one": (
        "13:50", "13:15-13:30, 13:45-14:00 from 13:00", "13:05-14:00", "13:00-14:00", ""),
    "an extension": ("15:59", "13:00-16:00", "13:05-16:30", "13:00-16:00", "REQUEST 1 13:00-16:30"),
    "an extension that ends at once": (
        "16:05", "13:00-16:00", "13:05-16:30 closed 16:05", "13:00-16:30 no 1", ""),
    "an extension that the car did not need": (
        "15:59:40", "13:00-16:00", "13:05-16:30 closed 15:59:40", "13:00-16:30 no 1", "REQUEST 2 13:00-16:00"),
    "a release an hour late": (
        "17:10", "13:00-16:00", "13:05-15:30 closed 17:10", "13:00-16:00", "REQUEST 1 13:00-15:30"),
    "a window taken back while it is held for": (
        "13:20", "", "13:05-13:30", "13:00-16:00", "REQUEST 1 13:00-13:30"),
    "and given again": ("13:25", "13:00-16:00", "13:05-13:30", "13:00-13:30 no 1", "REQUEST 2 13:00-16:00"),
    "a window ending mid-slot is cheap to the slot's end": (
        "13:05", "13:00-15:50", "13:05-13:30", "", "REQUEST 0 13:00-16:00"),
    "two that meet inside a half hour are one": (
        "13:05", "13:00-15:50, 15:55-17:00", "13:05-13:30", "", "REQUEST 0 13:00-17:00"),
    "adjacent windows are one": ("13:05", "13:00-14:00, 14:00-15:00", "13:05-13:30", "", "REQUEST 0 13:00-15:00"),
    "windows apart are two": (
        "15:05", "13:00-14:00, 15:00-16:00", "13:05-14:00 closed 13:58:30, 15:05-15:30", "13:00-14:00",
        "REQUEST 0 15:00-16:00"),
    "an extension that runs into the next window is shared": (
        "14:30", "13:00-14:00, 14:30-16:00", "13:05-15:00", "13:00-14:00",
        "REQUEST 1 13:00-14:30, REQUEST 0 14:30-16:00"),
    "two announced windows that become one": (
        "15:05", "13:00-16:00", "13:05-14:00 closed 13:58:30, 15:05-15:30", "13:00-14:00, 15:00-16:00",
        "REQUEST 1 13:00-16:00, CANCEL 1 15:00-16:00"),
    "a hold given up at once never was": ("13:05", "13:00-16:00", "13:05-13:30 closed 13:05", "", ""),
    "nor what was told of it": (
        "13:06", "13:00-16:00", "13:05-13:30 closed 13:05", "13:00-16:00", "CANCEL 1 13:00-16:00"),
    "a cancelled event that comes back goes on counting": (
        "14:05", "13:00-16:00", "14:05-14:30", "13:00-16:00 as CANCEL no 4", "REQUEST 5 13:00-16:00"),
    "a window over before it was ever told": ("17:00", "13:00-16:00", "13:05-14:00 closed 13:58:30", "", ""),
    "the evening ends at midnight": ("22:05", "22:00-26:00", "22:05-22:30", "", "REQUEST 0 22:00-24:00"),
    "the morning begins at six": ("06:05", "05:00-07:30", "06:05-06:30", "", "REQUEST 0 06:00-07:30"),
    "a window round the night has two events": (
        "30:05", "22:00-31:30", "22:05-24:00 closed 23:59, 30:05-30:30", "22:00-24:00", "REQUEST 0 30:00-31:30"),
}  # fmt: skip
PLANNED = {
    "a plan is announced": ("12:00", "13:00-16:00", "", "", "REQUEST 0 13:00-16:00"),
    "once": ("12:01", "13:00-16:00", "", "13:00-16:00", ""),
    "a move of both ends": ("12:01", "13:30-17:00 from 13:00", "", "13:00-16:00", "REQUEST 1 13:30-17:00"),
    "a window taken back": ("12:01", "", "", "13:00-16:00", "CANCEL 1 13:00-16:00"),
    "once taken back": ("12:02", "", "", "13:00-16:00 as CANCEL no 1", ""),
    "one that comes back": ("12:03", "13:00-16:00", "", "13:00-16:00 as CANCEL no 1", "REQUEST 2 13:00-16:00"),
    "a window in which no car came": ("16:00", "13:00-16:00", "", "13:00-16:00", "CANCEL 1 13:00-16:00"),
    "a car that stops early": (
        "14:00", "13:00-16:00", "13:05-14:00 closed 13:58:30", "13:00-16:00", "REQUEST 1 13:00-14:00"),
    "nothing of the night": ("20:00", "24:30-29:00", "", "", ""),
    "only what is outside the night": ("20:00", "22:00-26:00", "", "", "REQUEST 0 22:00-24:00"),
    "a plan that is over is not announced": ("17:00", "13:00-16:00", "", "", ""),
    "two windows that swap places keep their names": (
        "12:01", "13:00-14:00 from 15:00, 15:00-16:00 from 13:00", "", "13:00-14:00, 15:00-16:00",
        "REQUEST 1 15:00-16:00, REQUEST 1 13:00-14:00"),
}  # fmt: skip


@pytest.mark.parametrize("case", CHARGING.values(), ids=CHARGING)
def test_the_calendar_follows_the_charging(case: tuple[str, str, str, str, str]) -> None:
    when, plan, holds, known, expected = case
    assert words(due_revisions(evidence(when, plan, holds, known))) == expected


@pytest.mark.parametrize("case", PLANNED.values(), ids=PLANNED)
def test_where_asked_for_the_calendar_follows_the_plan(case: tuple[str, str, str, str, str]) -> None:
    when, plan, holds, known, expected = case
    assert words(due_revisions(evidence(when, plan, holds, known, early=True))) == expected


def test_the_night_is_local_so_that_a_summers_evening_ends_an_hour_earlier() -> None:
    seen = evidence("21:05", "21:00-26:00", "21:05-21:30", day=SUMMER)
    assert words(due_revisions(seen), SUMMER) == "REQUEST 0 21:00-23:00"


def test_the_name_is_the_first_start_wherever_the_window_went() -> None:
    (revision,) = due_revisions(evidence("13:05", "12:30-16:00 from 13:00", "13:05-13:30"))
    assert revision.first_start == at("13:00")


def test_of_several_dispatches_the_one_seen_first_gives_the_name() -> None:
    (revision,) = due_revisions(evidence("13:05", "13:00-14:00 seen 11:00, 14:00-15:00 seen 10:00", "13:05-13:30"))
    assert revision.first_start == at("14:00")


def test_a_window_first_seen_in_the_night_is_named_by_the_morning() -> None:
    (revision,) = due_revisions(evidence("06:35", "06:30-07:30 from 05:00", "06:35-07:00"))
    assert revision.first_start == at("06:00")


def test_two_windows_never_share_a_name() -> None:
    revisions = due_revisions(evidence("12:00", "13:00-14:00, 15:00-16:00 from 13:00", early=True))
    assert [r.first_start for r in revisions] == [at("13:00"), at("15:00")]


def test_a_stamp_is_later_than_the_one_before_even_where_the_clock_went_back() -> None:
    (revision,) = due_revisions(evidence("10:59", "13:00-15:00", known="13:00-16:00", early=True))
    assert revision.stamped_at == at("11:00:01")


def test_what_lies_further_back_than_the_evidence_is_left_alone() -> None:
    old = told("13:00-16:00", DAY - timedelta(days=4))
    seen = evidence("12:00", "")
    assert due_revisions(CalendarInputs(seen.now, seen.since, CHEAP_PERIOD, known=(old,))) == ()


ENERGY = {
    "the plan's": ("13:05", "13:00-16:00 21.6 kWh", "13:05-13:30", "", 21.6),
    "of two cars together": ("13:05", "13:00-16:00 21.6 kWh, 13:00-15:00 4.4 kWh", "13:05-13:30", "", 26.0),
    "in proportion, where trimmed": (
        "14:00", "13:00-16:00 21.6 kWh", "13:05-14:00 closed 13:58:30", "13:00-16:00 21.6 kWh", 7.2),
    "in proportion to the old figure, where nothing is planned any more": (
        "13:20", "", "13:05-13:30", "13:00-16:00 21.6 kWh", 3.6),
    "unknown, where nobody says": ("13:05", "13:00-16:00", "13:05-13:30", "", None),
}  # fmt: skip


@pytest.mark.parametrize("case", ENERGY.values(), ids=ENERGY)
def test_the_energy_is_about_right(case: tuple[str, str, str, str, float | None]) -> None:
    when, plan, holds, known, expected = case
    (revision,) = due_revisions(evidence(when, plan, holds, known))
    assert revision.energy_kwh == (None if expected is None else pytest.approx(expected))


def test_the_mail_server_is_asked_again_soon_then_seldom() -> None:
    now = at("13:00")
    waits = [(mail_retry_at(now, failures, None) - now).total_seconds() / 60 for failures in (1, 2, 3, 4, 9)]
    assert waits == [4.75, 9.75, 29.75, 59.75, 59.75]


def test_the_mail_servers_own_wish_goes_before() -> None:
    assert mail_retry_at(at("13:00"), 1, timedelta(hours=24)) == at("13:00") + timedelta(hours=24)


def test_the_days_mails_are_counted_from_local_midnight() -> None:
    assert local_day_start(at("00:30", SUMMER), "Europe/London") == at("00:00", SUMMER) - timedelta(hours=1)
    assert local_day_start(at("00:30"), "Europe/London") == at("00:00")


REMARKS = {
    "two accounts": ("house@gmail.com", "family@gmail.com", ["contacts"]),
    "one account": ("house@gmail.com", "house@gmail.com", ["same account"]),
    "one account, spelt otherwise": ("house@gmail.com", "Ho.use+ev@googlemail.com", ["same account", "plus tag"]),
    "a plus tag elsewhere": ("house@gmail.com", "family+ev@example.com", ["contacts", "plus tag"]),
    "no recipient": ("house@gmail.com", None, ["invite_to is missing", "same account"]),
}


@pytest.mark.parametrize("case", REMARKS.values(), ids=REMARKS)
def test_what_may_keep_invites_off_the_calendar_is_said(case: tuple[str, str | None, list[str]]) -> None:
    sender, recipient, expected = case
    said = invite_address_warnings(sender, recipient)
    assert len(said) == len(expected)
    assert all(word in remark for word, remark in zip(expected, said, strict=True))
