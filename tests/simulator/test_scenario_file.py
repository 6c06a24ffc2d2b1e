"""Scenario files: what they may say, and what is said about wrong ones."""

from datetime import UTC, datetime

import pytest

from smartcharge.simulator.faults import Fault
from smartcharge.simulator.house import DEFAULT_HOUSE
from smartcharge.simulator.scenario import CarState, ExpectedCommand, FaultPeriod, ModeAndReserve, OwnerAction
from smartcharge.simulator.scenario_file import load_scenario, parse_scenario, scenario_files
from smartcharge.simulator.scenario_yaml import ScenarioError

HEAD = "name: short\nabout: A short one.\nday: 2026-07-08\nstart: 13:00\nminutes: 60\n"


def at(hour: int, minute: int = 0, day: int = 8) -> datetime:
    """A moment of the scenario's day in July, UTC; London is an hour ahead."""
    return datetime(2026, 7, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize("name", scenario_files())
def test_every_scenario_that_comes_along_can_be_played(name: str) -> None:
    scenario = load_scenario(scenario_files()[name])

    assert scenario.name == name
    assert scenario.about.endswith(".")
    assert scenario.expected.battery


def test_times_are_london_s_wall_clock() -> None:
    scenario = parse_scenario(HEAD + "plan:\n  13:10: [13:30-14:00]\n")

    assert scenario.starts_at == at(12)
    assert scenario.plan.since(at(12, 20)) == at(12, 10)
    planned = (scenario.plan.at(at(12, 20)) or ())[0]
    assert planned.device_id == DEFAULT_HOUSE.device_id
    assert planned.item == {
        "start": "2026-07-08T12:30:00+00:00",
        "end": "2026-07-08T13:00:00+00:00",
        "type": "SMART",
        "energyAddedKwh": "-3.6",
    }


def test_an_answer_holds_until_the_next_and_nothing_before_the_first() -> None:
    plan = parse_scenario(HEAD + "plan:\n  13:10: [13:30-14:00]\n  13:20: []\n").plan

    assert plan.at(at(12, 9)) is None
    assert len(plan.at(at(12, 19)) or ()) == 1
    assert plan.at(at(12, 20)) == ()


def test_windows_may_cross_midnight_and_have_attributes() -> None:
    text = (
        "plan:\n  13:00:\n    - {window: 23:30-00:30, type: BOOST, energy: null, device: second}\n    - {raw: null}\n"
    )
    first, second = parse_scenario(HEAD + text).plan.at(at(12)) or ()

    assert first.device_id == "second"
    assert first.item == {
        "start": "2026-07-08T22:30:00+00:00",
        "end": "2026-07-08T23:30:00+00:00",
        "type": "BOOST",
        "energyAddedKwh": None,
    }
    assert second.item is None


def test_a_fault_in_the_plan_lasts_until_the_next_answer() -> None:
    scenario = parse_scenario(HEAD + "plan:\n  13:10: KT-CT-4340\n  13:20: []\n")

    assert scenario.fault_periods == (
        FaultPeriod(at(12, 10), at(12, 20), Fault("kraken", "KT-CT-4340", only="flexPlannedDispatches")),
    )


def test_troubles_are_short_to_write_and_may_have_details() -> None:
    text = (
        "faults:\n  - 13:10-13:20 tesla http-503\n"
        "  - {span: 13:30-13:40, service: tesla, fault: drop, only: operation, times: 1, after: true}\n"
    )
    plain, detailed = parse_scenario(HEAD + text).fault_periods

    assert plain == FaultPeriod(at(12, 10), at(12, 20), Fault("tesla", "http-503"))
    assert detailed.fault == Fault("tesla", "drop", only="operation", times=1, after=True)


def test_the_car_is_watts_a_pilot_state_silence_or_a_record() -> None:
    text = "car:\n  13:00: B2\n  13:04: 7200\n  13:10: silent\n  13:20: {watts: 1600, pst: C1, without: div}\n"
    car = parse_scenario(HEAD + text).cars[DEFAULT_HOUSE.zappi_serial]

    assert [value for _, value in car.entries] == [
        CarState(0, "B2"),
        CarState(7200, "C2"),
        CarState(silent=True),
        CarState(1600, "C1", without=("div",)),
    ]


def test_several_zappis_and_devices_have_their_own_lines() -> None:
    text = (
        "zappis:\n  17000001: {13:00: A}\n  17000002: {13:00: 7200}\n"
        "devices:\n  - {id: one, suspended: true}\n  - {id: two, state: BOOSTING, suspended: null}\n"
    )
    scenario = parse_scenario(HEAD + text)

    assert list(scenario.cars) == [17000001, 17000002]
    devices = scenario.devices.at(at(12)) or ()
    assert [(each.device_id, each.suspended, each.state) for each in devices] == [
        ("one", True, "SMART_CONTROL_CAPABLE"),
        ("two", None, "BOOSTING"),
    ]


def test_the_owner_turns_settings_and_types_commands() -> None:
    text = "owner:\n  13:20: {mode: self_consumption, reserve: 30}\n  13:10: {run: pause --until 15:00}\n"

    assert parse_scenario(HEAD + text).owner == (
        OwnerAction(at(12, 10), command=("pause", "--until", "15:00")),
        OwnerAction(at(12, 20), "self_consumption", 30),
    )


def test_cron_may_sleep_for_a_minute_or_longer() -> None:
    scenario = parse_scenario(HEAD + "missed: [13:05, 13:10-13:12]\n")

    assert [minute for minute in range(15) if scenario.is_minute_missed(at(12, minute))] == [5, 10, 11]


def test_expectations_are_read() -> None:
    text = (
        "expect:\n  battery: {13:05: backup/100}\n  hold: {13:05: 13:30, 13:40: none}\n  at_most: {kraken: 3}\n"
        "  writes: [13:04 mode backup]\n  exit_codes: [0, 3]\n  says: hold\n"
    )
    expected = parse_scenario(HEAD + text).expected

    assert expected.battery == ((at(12, 5), ModeAndReserve("backup", 100)),)
    assert expected.hold == ((at(12, 5), at(12, 30)), (at(12, 40), None))
    assert expected.at_most == {"kraken": 3}
    assert expected.writes == (ExpectedCommand(at(12, 4), "mode", "backup"),)
    assert expected.exit_codes == {0, 3}
    assert expected.says == ("hold",)


def test_a_moment_may_be_written_in_full() -> None:
    assert parse_scenario(HEAD + 'plan:\n  "2026-07-08T13:10:00+00:00": []\n').plan.since(at(13, 30)) == at(13, 10)


WRONG: dict[str, tuple[str, str]] = {
    "an unknown key": ("plann: {}\n", "unknown key 'plann'; did you mean 'plan'"),
    "no time": ("plan: {noon: []}\n", "'noon' is no time"),
    "no offset": ("plan: {2026-07-08T13:10: []}\n", "lacks its offset"),
    "no span": ("plan: {13:10: [13:00]}\n", "'13:00' is no span"),
    "an unknown fault": ("faults: [13:00-13:10 kraken http-533]\n", "did you mean 'http-503'"),
    "a fault without its service": ("faults: [13:00-13:10 http-503]\n", "is not like '14:10-14:16 kraken http-503'"),
    "an unknown fault in the plan": ("plan: {13:10: KT-4340}\n", "kraken has no fault 'KT-4340'"),
    "an unknown pilot state": ("car: {13:10: G}\n", "'G' is no pilot state"),
    "a key written twice": ("car:\n  13:10: A\n  13:10: B2\n", "a key is written twice"),
    "a settings nobody knows": ("expect: {battery: {13:10: charging}}\n", "is not like backup/100"),
    "an unknown count": ("expect: {at_most: {mail: 3}}\n", "did you mean 'mails'"),
    "a name for a serial": ("zappis: {drive: {13:00: A}}\n", "'drive' is no serial number"),
    "no mapping": ("powerwall: [autonomous]\n", "a mapping is wanted"),
    "a word for a figure": ("powerwall: {reserve_pct: twenty}\n", "of the wrong kind"),
    "no YAML": ("plan: {\n", "short.yaml"),
}


@pytest.mark.parametrize(("text", "complaint"), WRONG.values(), ids=WRONG)
def test_a_wrong_scenario_is_refused_with_file_place_and_reason(text: str, complaint: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(HEAD + text, "short.yaml")

    assert str(caught.value).startswith("short.yaml")
    assert complaint in str(caught.value)


def test_what_every_scenario_needs_is_asked_for() -> None:
    with pytest.raises(ScenarioError, match="about, day, minutes missing"):
        parse_scenario("name: bare\n")


def test_a_time_that_the_clocks_skip_is_refused() -> None:
    head = HEAD.replace("2026-07-08", "2026-03-29")

    with pytest.raises(ScenarioError, match="does not exist"):
        parse_scenario(head + "plan: {01:30: []}\n")
