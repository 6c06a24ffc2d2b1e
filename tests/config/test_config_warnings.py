"""What is allowed in a configuration and hardly meant; nothing allowed keeps a charging car from being held."""

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise, product

import pytest
from config_texts import LoadConfig, config_with_line
from msgspec.structs import replace

from smartcharge.policy.decide import decide
from smartcharge.policy.model import ChargerState, DispatchWindow, Policy, State
from smartcharge.policy.slots import CheapPeriod

HARDLY_MEANT = {
    "times the wrong way round": ("cheap_period: ['06:00', '00:00']", "control.cheap_period lasts 18 h"),
    "and across midnight": ("cheap_period: ['05:30', '23:30']", "control.cheap_period lasts 18 h"),
    "a lead that cron's minutes can miss": ("release_lead_seconds: 59", "control.release_lead_seconds is 59"),
}
MEANT = (
    "cheap_period: ['23:30', '05:30']", "cheap_period: ['00:00', '12:00']", "release_lead_seconds: 60",
    "min_hold_seconds: 1500",
)  # fmt: skip


@pytest.mark.parametrize(("line", "words"), HARDLY_MEANT.values(), ids=HARDLY_MEANT)
def test_what_is_hardly_meant_is_a_warning(load: LoadConfig, line: str, words: str) -> None:
    (warning,) = load(config_with_line("control", line)).warnings

    assert warning.startswith(words)
    assert warning.partition(". ")[2]


@pytest.mark.parametrize("line", MEANT)
def test_what_can_be_meant_is_none(load: LoadConfig, line: str) -> None:
    assert load(config_with_line("control", line)).warnings == ()


def moment(minute: int) -> datetime:
    """Cron's minute of an afternoon, two seconds in."""
    return datetime(2026, 12, 9, 13, 0, 2, tzinfo=UTC) + timedelta(minutes=minute)


LEADS, SHORTEST = (30, 60, 90, 300), (60, 180, 1500)


@pytest.mark.parametrize(("lead", "shortest"), list(product(LEADS, SHORTEST)))
def test_no_lead_and_no_shortest_hold_that_are_allowed_keep_a_charging_car_from_being_held(
    lead: int, shortest: int
) -> None:
    """A run a minute through a window of three half hours: held from its first minute to its release, without a gap."""
    policy = Policy(
        cheap_period=CheapPeriod(time(0), time(6), zone="Europe/London"),
        release_lead=timedelta(seconds=lead),
        min_hold=timedelta(seconds=shortest),
        extension=False,
    )
    window = DispatchWindow(moment(0).replace(second=0), moment(90).replace(second=0), seen_at=moment(0))
    seen = State(now=moment(0), policy=policy, windows=(window,), charger=ChargerState.CHARGING)
    held = []
    for minute in range(95):
        at = moment(minute)
        seen = replace(seen, now=at, windows=(replace(window, seen_at=at),))
        seen = replace(seen, hold=decide(seen).hold)
        held.append(seen.hold is not None)

    assert held[0]
    assert sum(now != before for before, now in pairwise(held)) == 1
    assert 84 <= held.count(True) <= 91
