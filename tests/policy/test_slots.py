"""Half hours, London days and the cheap period."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from random_states import CLOCKS, LAW_SETTINGS, MOMENTS
from state_words import CHEAP_PERIOD, DAY, LONDON, OCTOPUS_CHEAP_PERIOD, at

from smartcharge.policy.slots import SLOT, CheapPeriod, Span, last_noon, last_slot_end, local_day, slot_end, slot_start

SUMMER = date(2026, 7, 8)

SLOTS = {
    # moment, its slot
    "the middle": ("13:17", "13:00", "13:30"),
    "a boundary belongs to what it begins": ("13:30", "13:30", "14:00"),
    "the second before it does not": ("13:29:59", "13:00", "13:30"),
}


@pytest.mark.parametrize(("moment", "starts", "ends"), SLOTS.values(), ids=SLOTS)
def test_a_moment_has_one_slot(moment: str, starts: str, ends: str) -> None:
    assert (slot_start(at(moment)), slot_end(at(moment))) == (at(starts), at(ends))


LAST_SLOTS = {
    "an end on the half hour is its own": ("14:00", "14:00"),
    "a second more touches the next slot": ("14:00:01", "14:30"),
}


@pytest.mark.parametrize(("ends", "last"), LAST_SLOTS.values(), ids=LAST_SLOTS)
def test_a_span_touches_slots_to_its_last_moment(ends: str, last: str) -> None:
    assert last_slot_end(at(ends)) == at(last)


@LAW_SETTINGS
@given(MOMENTS)
def test_slots_follow_the_half_hours_of_every_clock(moment: datetime) -> None:
    assert slot_start(moment) <= moment < slot_end(moment) == slot_start(moment) + SLOT
    for zone in ("UTC", LONDON):
        local = slot_start(moment).astimezone(ZoneInfo(zone))
        assert (local.minute % 30, local.second, local.microsecond) == (0, 0, 0)


def test_a_span_covers_its_start_and_not_its_end() -> None:
    span = Span(at("13:00"), at("14:00"))
    assert [span.covers(at(moment)) for moment in ("12:59:59", "13:00", "13:59:59", "14:00")] == [
        False, True, True, False]  # fmt: skip


CHEAP_PERIODS_BY_DAY = {
    # tariff, the day on which it begins, from and to in UTC of that day
    "winter": (CHEAP_PERIOD, DAY, "00:00", "06:00"),
    "summer": (CHEAP_PERIOD, SUMMER, "-1:00", "05:00"),
    "Octopus in winter": (OCTOPUS_CHEAP_PERIOD, DAY, "23:30", "29:30"),
    "Octopus in summer": (OCTOPUS_CHEAP_PERIOD, SUMMER, "22:30", "28:30"),
    "spring has five hours": (CHEAP_PERIOD, date(2026, 3, 29), "00:00", "05:00"),
    "autumn has seven": (CHEAP_PERIOD, date(2026, 10, 25), "-1:00", "06:00"),
    "Octopus in spring": (OCTOPUS_CHEAP_PERIOD, date(2026, 3, 28), "23:30", "28:30"),
    "Octopus in autumn": (OCTOPUS_CHEAP_PERIOD, date(2026, 10, 24), "22:30", "29:30"),
    "an end that comes twice is the later": (
        CheapPeriod(time(0), time(1, 30), LONDON), date(2026, 10, 25), "-1:00", "01:30"),
    "a start that comes twice is the earlier": (
        CheapPeriod(time(1, 30), time(6), LONDON), date(2026, 10, 25), "00:30", "06:00"),
    "an end that is skipped keeps the night's length": (
        CheapPeriod(time(0), time(1, 30), LONDON), date(2026, 3, 29), "00:00", "01:30"),
}  # fmt: skip


@pytest.mark.parametrize(("tariff", "day", "starts", "ends"), CHEAP_PERIODS_BY_DAY.values(), ids=CHEAP_PERIODS_BY_DAY)
def test_the_cheap_period_follows_the_wall_clock(tariff: CheapPeriod, day: date, starts: str, ends: str) -> None:
    night = tariff.starting_on(day)
    assert night == Span(at(starts, day), at(ends, day))
    assert tariff.containing(night.starts_at) == tariff.containing(night.ends_at - timedelta(seconds=1)) == night
    assert tariff.containing(night.starts_at - timedelta(seconds=1)) is tariff.containing(night.ends_at) is None
    assert tariff.next_start(night.starts_at - timedelta(seconds=1)) == night.starts_at
    assert tariff.next_start(night.starts_at) > night.ends_at


CLEAR = CLOCKS.filter(lambda edge: edge.hour != 1)
"""The hour from one o'clock is skipped in spring and comes twice in autumn: no edges there."""


@LAW_SETTINGS
@given(MOMENTS, CLEAR, CLEAR)
def test_a_moment_is_cheap_when_the_clock_on_the_wall_says_so(moment: datetime, starts: time, ends: time) -> None:
    wall = moment.astimezone(ZoneInfo(LONDON)).time()
    cheap = starts <= wall < ends if starts < ends else wall >= starts or wall < ends
    tariff = CheapPeriod(starts, ends, LONDON)
    assert (tariff.containing(moment) is not None) == cheap


@LAW_SETTINGS
@given(MOMENTS, CLOCKS, CLOCKS)
def test_the_next_cheap_period_begins_within_25_hours(moment: datetime, starts: time, ends: time) -> None:
    tariff = CheapPeriod(starts, ends, LONDON)
    begins = tariff.next_start(moment)
    assert timedelta(0) < begins - moment <= timedelta(hours=25)
    assert tariff.containing(begins) is not None


DAYS = {
    # moment (UTC), local day, the last local noon (UTC)
    "a winter morning": (at("11:59:59"), DAY, at("-12:00")),
    "winter noon": (at("12:00"), DAY, at("12:00")),
    "a summer noon is at eleven": (at("11:00", SUMMER), SUMMER, at("11:00", SUMMER)),
    "a second before it": (at("10:59:59", SUMMER), SUMMER, at("-13:00", SUMMER)),
    "a summer night is the next day": (at("23:00", SUMMER), date(2026, 7, 9), at("11:00", SUMMER)),
    "the morning after the clocks went back": (
        at("11:59", date(2026, 10, 25)), date(2026, 10, 25), at("11:00", date(2026, 10, 24))),
    "the morning after they went forward": (
        at("10:59", date(2026, 3, 29)), date(2026, 3, 29), at("12:00", date(2026, 3, 28))),
}  # fmt: skip


@pytest.mark.parametrize(("moment", "day", "noon"), DAYS.values(), ids=DAYS)
def test_days_and_noons_are_london_s(moment: datetime, day: date, noon: datetime) -> None:
    assert (local_day(moment, LONDON), last_noon(moment, LONDON)) == (day, noon)
