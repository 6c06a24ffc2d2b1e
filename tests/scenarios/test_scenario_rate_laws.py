"""The manners that every story is held to would notice: each case is an evening in which one of them is broken."""

from datetime import UTC, datetime, timedelta

import pytest
from scenario_rate_laws import find_broken_rate_laws

from smartcharge.simulator.faults import make_fault
from smartcharge.simulator.house import DEFAULT_HOUSE
from smartcharge.simulator.scenario import FaultPeriod, ModeAndReserve, Scenario
from smartcharge.simulator.scenario_runner import CommandResult, CommandRun, MinuteRecord, ScenarioResult
from smartcharge.simulator.servers import ReceivedRequest

BEGINS_AT = datetime(2026, 12, 9, 13, 0, 2, tzinfo=UTC)
LADDER = (0, 1, 2, 3, 5, 9, 14, 19, 24, 29, 34, 39, 44, 49, 54, 59)


def minute(number: int) -> datetime:
    return BEGINS_AT + timedelta(minutes=number)


def told(
    number: int, operation: str = "operation", status: int = 500, site: int = DEFAULT_HOUSE.site_id
) -> ReceivedRequest:
    """A command in a minute, refused unless told otherwise."""
    return ReceivedRequest(
        minute(number), "tesla", "POST", f"/api/1/energy_sites/{site}/{operation}", operation, status
    )


def asked(number: int, status: int = 200) -> ReceivedRequest:
    """A question in a minute."""
    return ReceivedRequest(minute(number), "tesla", "GET", "/api/1/products", "products", status)


def broken(*requests: ReceivedRequest, writes: tuple[int, ...] = (), is_beginning: bool = False) -> list[str]:
    """The complaints about an evening of these requests; writes: when Tesla took `backup`."""
    ran = (CommandRun(("tick",), CommandResult(0)),)
    played = ScenarioResult(
        minutes=tuple(MinuteRecord(minute(n), ModeAndReserve("backup", 100), 50.0, 0.0, 0, (), ran) for n in range(90)),
        holds={},
        writes=tuple((minute(number), "mode", "backup") for number in writes),
        requests=requests,
        mails=(),
        counts={},
        strayed=(),
    )
    patience = FaultPeriod(minute(0), minute(90), make_fault("tesla", "http-429", amount=600.0))
    scenario = Scenario("evening", "One.", BEGINS_AT.date(), BEGINS_AT, 90, fault_periods=(patience,))
    return list(find_broken_rate_laws(played, scenario, lambda _at: is_beginning))


BROKEN = {
    "another house's battery": (broken(told(0, site=1)), "another house's battery is told"),
    "twice in one run": (broken(told(0), told(0)), "the same command 2 times"),
    "again after a minute": (broken(told(0, status=200), told(1, status=200), writes=(0, 1)), "again 0:01:00 after"),
    "a storm": (
        broken(*(told(n, each) for n in range(9) for each in ("operation", "backup"))),
        "18 commands in 0:10:00, at most 13",
    ),
    "a beginning every minute": (broken(*map(told, range(12)), is_beginning=True), "12 commands in 0:30:00"),
    "no patience": (broken(asked(0, 429), asked(2)), "asked again 0:02:00 after it asked for patience"),
    "a beginning without patience": (broken(asked(0, 429), asked(9), is_beginning=True), "asked again 0:09:00"),
}

KEPT = {
    "both values in one run": broken(told(0), told(0, "backup")),
    "what the library sends twice on a cut line": broken(told(0, status=0), told(0, status=0)),
    "no rate plan": broken(told(0, status=410), told(0), told(0, "backup")),
    "again after two minutes": broken(told(0, status=200), told(2, status=200), writes=(0, 2)),
    "a release every minute for an hour": broken(*map(told, range(60)), told(60, "backup")),
    "a beginning on the ladder": broken(*map(told, LADDER), told(59, "backup"), is_beginning=True),
    "three minutes of ten before a release": broken(asked(0, 429), asked(3)),
}


@pytest.mark.parametrize(("complaints", "words"), BROKEN.values(), ids=BROKEN)
def test_bad_manners_are_noticed(complaints: list[str], words: str) -> None:
    assert [words in each for each in complaints] == [True]


@pytest.mark.parametrize("complaints", KEPT.values(), ids=KEPT)
def test_good_manners_are_no_cause_for_complaint(complaints: list[str]) -> None:
    assert complaints == []
