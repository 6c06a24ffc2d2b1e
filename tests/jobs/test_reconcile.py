"""The battery's whole life through the real acts and the real store; only the services are fakes."""

from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta

import pytest
from fake_house import CONFIG_TEXT, FakeBattery, FakeHouse, at

from smartcharge.app import App
from smartcharge.console import run_guarded
from smartcharge.errors import (
    NotConfirmedError,
    RatePlanMissingError,
    SignInRefusedError,
    StoreError,
    ThrottledError,
    UnreachableError,
    most_serious_exit_code,
)
from smartcharge.jobs.fetch import fetch_plan_if_due
from smartcharge.jobs.midnight_reset import run_midnight_reset
from smartcharge.jobs.reconcile import decide_and_apply, run_reconcile
from smartcharge.jobs.tick import run_tick
from smartcharge.policy.battery import Lockout
from smartcharge.policy.model import ChargerState
from smartcharge.store.control import load_battery_memory, load_state, save_pause
from smartcharge.store.database import transaction
from smartcharge.store.journal import load_journal

CHARGING, IDLE = ChargerState.CHARGING, ChargerState.IDLE


def run(house: FakeHouse, clock: str | datetime, act: Callable[[App], None] = run_reconcile) -> int:
    with closing(house.app(clock)) as app:
        act(app)
        return most_serious_exit_code(app.exit_codes)


def hold_from_1305(house: FakeHouse) -> None:
    house.tariff.spans = ["13:00-14:30"]
    run(house, "13:00", fetch_plan_if_due)
    assert run(house, "13:05") == 0
    assert (house.battery.mode, house.battery.reserve_pct) == ("backup", 100)


def pause(house: FakeHouse, clock: str) -> None:
    with closing(house.app(clock)) as app, transaction(app.db):
        save_pause(app.db, app.now, None)
    run(house, clock)


def rests(house: FakeHouse) -> bool:
    return (house.battery.mode, house.battery.reserve_pct) == ("autonomous", 20)


def owned(house: FakeHouse, clock: str) -> bool:
    with closing(house.app(clock)) as app:
        return load_battery_memory(app.read_only_db).owned


def test_a_charging_car_puts_the_powerwall_in_backup_mode_first(house: FakeHouse) -> None:
    hold_from_1305(house)

    assert house.battery.writes == ["backup", 100]
    assert house.said[-1] == (
        "13:05 Powerwall charging from the grid (Backup Reserve 100 %) until 13:30: "
        "the car is charging in a smart-charging slot"
    )


def test_a_confirmed_hold_is_left_alone_until_it_is_due(house: FakeHouse) -> None:
    hold_from_1305(house)
    calls = len(house.battery.calls)

    for minute in house.minutes("13:06", "13:28"):
        assert run(house, minute) == 0

    assert len(house.battery.calls) == calls
    assert house.charger.asked == 1


def test_a_renewal_reads_the_battery_back_and_writes_nothing(house: FakeHouse) -> None:
    hold_from_1305(house)
    run(house, "13:28", fetch_plan_if_due)

    run(house, "13:29")

    assert house.battery.writes == ["backup", 100]
    assert house.said[-1].startswith("13:29 Powerwall charging from the grid (Backup Reserve 100 %) until 14:00")


def test_a_reserve_that_firmware_shows_as_80_is_written_once_and_brought_back(house: FakeHouse) -> None:
    house.battery.clamps = True
    house.tariff.spans = ["13:00-14:30"]
    run(house, "13:00", fetch_plan_if_due)
    run(house, "13:05")
    run(house, "13:28", fetch_plan_if_due)
    assert run(house, "13:29") == 0
    assert house.battery.writes == ["backup", 100]
    run(house, "13:56", fetch_plan_if_due)
    house.charger.answers = [IDLE]

    run(house, "13:59")

    assert rests(house)


def test_the_release_brings_back_mode_then_reserve(house: FakeHouse) -> None:
    hold_from_1305(house)
    house.charger.answers = [IDLE]

    run(house, "13:29")

    assert house.battery.writes[2:] == ["autonomous", 20]
    assert not owned(house, "13:30")
    assert (
        house.said[-1]
        == "13:29 Powerwall back to normal, Time-Based Control (Backup Reserve 20 %): the last off-peak half hour ends"
    )


def test_a_release_asks_neither_the_charger_nor_the_supplier_first(house: FakeHouse) -> None:
    """The plan is stale by then, so nothing anyone says could go on holding."""
    hold_from_1305(house)
    house.charger.asked = 0
    house.tariff.spans = UnreachableError("gone", service="kraken")

    run(house, "13:29", run_tick)

    assert rests(house)
    assert house.charger.asked == 0


def test_a_due_charger_question_that_fails_is_asked_once_more(house: FakeHouse) -> None:
    hold_from_1305(house)
    run(house, "13:28", fetch_plan_if_due)
    house.charger.answers = [UnreachableError("lost packet", service="zappi"), CHARGING]

    assert run(house, "13:29") == 0

    assert house.battery.writes == ["backup", 100]


@pytest.mark.parametrize("hours", ["13:31", "14:40", "16:00", "23:00"])
def test_however_late_the_tick_comes_it_releases(house: FakeHouse, hours: str) -> None:
    hold_from_1305(house)
    house.charger.answers = [IDLE]

    run(house, hours, run_tick)

    assert rests(house)


def test_a_command_that_takes_effect_late_is_confirmed_by_the_next_run(house: FakeHouse) -> None:
    house.tariff.spans = ["13:00-14:30"]
    run(house, "13:00", fetch_plan_if_due)
    house.battery.lag = 99

    assert run(house, "13:05") == NotConfirmedError.exit_code
    house.battery.settle()
    house.battery.lag = 0

    assert run(house, "13:06") == 0
    assert house.battery.writes == ["backup", 100]
    assert house.warned == []


def test_the_owner_hears_of_an_unconfirmed_hold_at_the_fifth_attempt_and_of_its_end(house: FakeHouse) -> None:
    house.tariff.spans = ["13:00-14:30"]
    run(house, "13:00", fetch_plan_if_due)
    house.battery.deaf = True

    for minute in house.minutes("13:05", "13:20"):
        run(house, minute)
    told = list(house.warned)
    house.battery.deaf = False
    for minute in house.minutes("13:21", "13:26"):
        run(house, minute)

    assert len(told) == 1
    assert "does not show it" in told[0]
    assert len(house.warned) == 2  # begun and over
    assert "works again" in house.warned[1]


def test_a_release_that_is_not_confirmed_is_told_at_once_and_climbs_the_ladder(house: FakeHouse) -> None:
    """Mode, then the reserve anyway, then the other resting mode; nothing is repeated within 90 seconds."""
    hold_from_1305(house)
    house.charger.answers, house.battery.deaf = [IDLE], True
    house.battery.writes.clear()

    codes = [run(house, minute) for minute in house.minutes("13:29", "13:32")]
    house.battery.deaf = False
    codes += [run(house, minute) for minute in house.minutes("13:33", "13:34")]

    assert codes == [6, 6, 6, 6, 6, 0]
    assert house.battery.writes == ["autonomous", 20, "self_consumption", "autonomous", 20, "autonomous", 20]
    assert rests(house)
    assert len(house.warned) == 2  # begun and over


def test_a_holding_command_that_was_never_seen_to_work_cannot_strand_the_battery(house: FakeHouse) -> None:
    """It is paused away, the battery reads as resting, and only then Tesla carries the old command out."""
    house.tariff.spans = ["13:00-14:30"]
    run(house, "13:24", fetch_plan_if_due)
    house.battery.lag = 99
    run(house, "13:25")
    pause(house, "13:26")
    assert rests(house)
    assert owned(house, "13:26")
    house.battery.settle()
    house.battery.lag = 0
    assert house.battery.mode == "backup"

    run(house, "13:27")

    assert rests(house)


@pytest.mark.parametrize(("mode", "reserve_pct"), [("backup", 20.0), ("autonomous", 100.0)])
def test_a_battery_held_before_we_came_is_left_alone(house: FakeHouse, mode: str, reserve_pct: float) -> None:
    house.battery.mode, house.battery.reserve_pct = mode, reserve_pct
    house.tariff.spans = ["13:00-14:30"]
    run(house, "13:00", fetch_plan_if_due)

    for minute in house.minutes("13:05", "14:40"):
        run(house, minute, run_tick)

    assert house.battery.writes == []
    assert [line for line in house.said if "leaves it alone" in line] == [
        (
            f"13:05 the Powerwall was already set by someone else, to {_words(mode)} "
            f"(Backup Reserve {reserve_pct:.0f} %): smartcharge leaves it alone until 15:00; "
            "`smartcharge resume` ends that"
        )
    ]


def _words(mode: str) -> str:
    return {"backup": "backup mode", "autonomous": "Time-Based Control"}[mode]


def test_a_mode_changed_by_hand_stays_and_our_reserve_is_brought_back(house: FakeHouse) -> None:
    hold_from_1305(house)
    house.battery.mode = "self_consumption"

    run(house, "13:28", fetch_plan_if_due)
    run(house, "13:29")

    assert (house.battery.mode, house.battery.reserve_pct) == ("self_consumption", 20)
    assert house.battery.writes == ["backup", 100, 20]
    assert "was changed by someone else" in house.said[-2]


def test_a_reserve_changed_by_hand_stays_and_our_mode_is_brought_back(house: FakeHouse) -> None:
    hold_from_1305(house)
    house.battery.reserve_pct = 35

    run(house, "13:28", fetch_plan_if_due)
    run(house, "13:29")

    assert (house.battery.mode, house.battery.reserve_pct) == ("autonomous", 35)


def test_a_storm_holds_the_release_back_until_it_clears(house: FakeHouse) -> None:
    hold_from_1305(house)
    house.battery.lockouts, house.charger.answers = frozenset({Lockout.STORM_WATCH}), [IDLE]

    codes = [run(house, minute) for minute in house.minutes("13:29", "13:40")]
    assert house.battery.writes == ["backup", 100]
    house.battery.lockouts = frozenset()
    codes.append(run(house, "13:41"))

    assert set(codes) == {0}
    assert rests(house)
    assert [line.partition(": ")[2] for line in house.warned] == [
        "Storm Watch controls the Powerwall: smartcharge waits until that is over.",
        "the Powerwall can be controlled again.",
    ]


def test_while_a_power_cut_has_the_battery_looks_that_fail_now_and_then_are_not_told(house: FakeHouse) -> None:
    hold_from_1305(house)
    house.battery.lockouts, house.charger.answers = frozenset({Lockout.OFF_GRID}), [IDLE]
    run(house, "13:29")
    silence = UnreachableError("no answer this time", service="tesla")
    for minute in house.minutes("13:30", "13:39"):
        house.battery.trouble = {"read": silence} if minute.minute % 3 else {}
        run(house, minute)
    told_while_it_came_and_went = house.warned[1:]
    house.battery.trouble = {"read": silence}
    for minute in house.minutes("13:40", "13:45"):
        run(house, minute)

    assert told_while_it_came_and_went == []
    assert house.warned[1:] == ["smartcharge reconcile: no answer this time. (It has failed 5 times in a row.)"]


def test_a_release_that_does_not_show_after_a_power_cut_is_told_at_once(house: FakeHouse) -> None:
    hold_from_1305(house)
    house.battery.lockouts, house.charger.answers = frozenset({Lockout.OFF_GRID}), [IDLE]
    run(house, "13:29")
    house.battery.lockouts, house.battery.deaf = frozenset(), True

    assert run(house, "13:30") == NotConfirmedError.exit_code

    assert len(house.warned) == 2
    assert "does not show it" in house.warned[1]


def test_nothing_is_written_where_the_outside_powers_cannot_be_learnt_but_a_release_is(house: FakeHouse) -> None:
    house.tariff.spans = ["13:00-14:30"]
    run(house, "13:00", fetch_plan_if_due)
    house.battery.lockouts = None
    assert run(house, "13:05") == UnreachableError.exit_code
    assert house.battery.writes == []
    house.battery.lockouts = frozenset()
    run(house, "13:06")
    house.battery.lockouts, house.charger.answers = None, [IDLE]

    run(house, "13:29")

    assert rests(house)


def test_without_a_rate_plan_it_rests_self_powered_and_says_so_once(house: FakeHouse) -> None:
    hold_from_1305(house)
    house.charger.answers = [IDLE]
    house.battery.trouble = {"set_mode": RatePlanMissingError("410", service="tesla")}
    refuse = house.battery.trouble["set_mode"]
    house.battery.trouble = {}
    ask = house.battery.set_mode

    def without_plan(mode: str) -> None:
        if mode == "autonomous":
            raise refuse
        ask(mode)

    house.battery.set_mode = without_plan  # type: ignore[method-assign]

    assert run(house, "13:29") == 0
    assert (house.battery.mode, house.battery.reserve_pct) == ("self_consumption", 20)
    assert sum("rate plan" in line for line in house.warned) == 1
    assert not owned(house, "13:30")


def test_a_request_for_patience_is_kept_and_the_release_comes_first_afterwards(house: FakeHouse) -> None:
    hold_from_1305(house)
    house.charger.answers = [IDLE]
    house.battery.trouble = {"read": ThrottledError("429", retry_after=timedelta(seconds=150), service="tesla")}
    assert run(house, "13:29") == ThrottledError.exit_code
    house.battery.trouble, calls = {}, len(house.battery.calls)

    assert [run(house, clock) for clock in ("13:30", "13:31")] == [0, 0]
    assert len(house.battery.calls) == calls
    run(house, "13:32")

    assert rests(house)


def test_a_refused_sign_in_stops_no_release_for_longer_than_a_run(house: FakeHouse) -> None:
    hold_from_1305(house)
    house.charger.answers = [IDLE]
    house.battery.trouble = {"enter": SignInRefusedError("refused", service="tesla")}
    house.battery.calls.clear()

    codes = [run(house, minute) for minute in house.minutes("13:29", "13:57")]

    assert set(codes) == {5}
    assert house.battery.calls.count("enter") == len(codes)
    assert len(house.warned) == 1


def test_an_overdue_release_is_told_again_and_names_what_to_do_by_hand(house: FakeHouse) -> None:
    hold_from_1305(house)
    house.charger.answers = [IDLE]
    house.battery.trouble = {"enter": UnreachableError("down", service="tesla")}

    told = {f"{minute:%H:%M}": len(house.warned) for minute in house.minutes("13:29", "15:31") if run(house, minute)}

    assert (told["13:29"], told["13:58"], told["13:59"], told["15:28"], told["15:29"]) == (1, 1, 2, 2, 3)
    assert all("set it in the Tesla app: Time-Based Control" in line for line in house.warned)


def test_a_hold_that_was_refused_is_not_called_well_because_its_release_worked(house: FakeHouse) -> None:
    house.tariff.spans = ["13:00-14:30"]
    run(house, "13:00", fetch_plan_if_due)
    house.battery.refused_modes = {"backup"}

    codes = {run(house, minute) for minute in house.minutes("13:05", "13:28")}
    held = (house.battery.mode, house.battery.reserve_pct)
    house.charger.answers = [IDLE]
    codes.add(run(house, "13:31", run_tick))

    assert held == ("autonomous", 100)
    assert (house.battery.mode, house.battery.reserve_pct) == ("autonomous", 20)
    assert house.battery.writes == [100, 20]
    assert len(house.warned) == 1
    assert "asked for backup: HTTP 400" in house.warned[0]


def test_a_release_that_only_self_consumption_begins_leaves_backup_by_way_of_it(house: FakeHouse) -> None:
    hold_from_1305(house)
    house.charger.answers = [IDLE]
    house.battery.ignored_from_backup = {"autonomous"}
    house.battery.writes.clear()

    codes = [run(house, minute) for minute in house.minutes("13:29", "13:32")]

    assert codes == [6, 6, 6, 0]
    assert house.battery.writes == ["autonomous", 20, "self_consumption", "autonomous"]
    assert rests(house)


@pytest.mark.parametrize("gap", ["mode", "reserve_pct"])
def test_a_release_writes_what_cannot_be_read_and_verifies_the_other(house: FakeHouse, gap: str) -> None:
    hold_from_1305(house)
    house.charger.answers, house.battery.gaps = [IDLE], {gap}

    codes = [run(house, minute) for minute in house.minutes("13:29", "13:31")]
    settings = (house.battery.mode, house.battery.reserve_pct)
    house.battery.gaps = set()
    codes.append(run(house, "13:32"))

    assert settings == ("autonomous", 20)
    assert codes == [6, 6, 6, 0]
    assert sorted(map(str, house.battery.writes[2:])) == ["20", "autonomous"]
    assert len(house.warned) == 2  # begun and over


def test_a_release_that_can_read_nothing_writes_from_its_second_run_on(house: FakeHouse) -> None:
    hold_from_1305(house)
    house.charger.answers = [IDLE]
    house.battery.trouble = {name: UnreachableError("no answer", service="tesla") for name in ("read", "read_stance")}

    for minute in house.minutes("13:29", "13:31"):
        run(house, minute)
        house.battery.settle()

    assert house.battery.writes[2:] == ["autonomous", 20]
    assert rests(house)


def test_another_site_is_neither_written_to_nor_taken_for_the_owners_hand(house: FakeHouse) -> None:
    hold_from_1305(house)
    house.charger.answers = [IDLE]
    held = house.battery
    house.battery = FakeBattery(site="99", mode="self_consumption")

    codes = [run(house, minute) for minute in house.minutes("13:29", "13:31")]
    other, house.battery = house.battery, held
    codes.append(run(house, "13:32"))

    assert codes == [6, 6, 6, 0]
    assert other.writes == []
    assert len([line for line in house.warned if "another one" in line]) == 1
    assert rests(house)


def test_pausing_and_boosting_and_idling_never_begin_a_hold(house: FakeHouse) -> None:
    house.tariff.spans, house.tariff.boosting = ["13:00-14:30"], True
    run(house, "13:00", fetch_plan_if_due)
    run(house, "13:05")
    house.tariff.boosting = False
    run(house, "13:06", fetch_plan_if_due)
    house.charger.answers = [IDLE]
    run(house, "13:07")

    assert house.battery.calls == []


def test_without_tesla_it_only_says_what_it_would_do(tmp_path_factory: pytest.TempPathFactory) -> None:
    house = FakeHouse(
        tmp_path_factory.mktemp("house"), CONFIG_TEXT.replace("tesla: {account_email: you@example.com}\n", "")
    )
    house.tariff.spans = ["13:00-14:30"]
    run(house, "13:00", fetch_plan_if_due)

    run(house, "13:05")
    run(house, "13:06")

    assert house.battery.calls == []
    assert [line for line in house.said if line.startswith("would set")] == [
        (
            "would set the Powerwall to charge from the grid (Backup Reserve 100 %) until 13:30: "
            "the car is charging in a smart-charging slot"
        )
    ]


def test_a_dry_run_says_what_it_would_do_and_changes_nothing(house: FakeHouse) -> None:
    house.tariff.spans = ["13:00-14:30"]
    run(house, "13:00", fetch_plan_if_due)
    before = (house.folder / "smartcharge.db").read_bytes()

    with closing(house.app("13:05", dry_run=True)) as app:
        run_reconcile(app)

    assert house.said[-1].startswith(
        "would set the Powerwall to charge from the grid (Backup Reserve 100 %) until 13:30"
    )
    assert (house.folder / "smartcharge.db").read_bytes() == before
    assert house.battery.calls == []


def test_every_journaled_decision_can_be_decided_again(house: FakeHouse) -> None:
    from smartcharge.policy.decide import decide  # noqa: PLC0415

    hold_from_1305(house)
    house.charger.answers = [IDLE]
    run(house, "13:29")

    with closing(house.app("13:30")) as app:
        rows = [row for row in load_journal(app.read_only_db) if row.outcome == "decided"]
        assert [decide(row.state).reason for row in rows if row.state] == [row.reason for row in rows]
        assert len(rows) == 2  # begun and ended


def test_a_hold_is_stored_before_the_battery_is_asked_for_it(house: FakeHouse) -> None:
    """Whatever happens at Tesla, the next run knows what was promised."""
    house.tariff.spans = ["13:00-14:30"]
    run(house, "13:00", fetch_plan_if_due)
    house.battery.trouble = {"enter": UnreachableError("down", service="tesla")}
    run(house, "13:05")

    with closing(house.app("13:06")) as app:
        seen = load_state(app.read_only_db, app.now, app.policy)

    assert seen.hold is not None
    assert seen.hold.until == at("13:30").replace(second=0)


def test_a_database_that_cannot_be_written_stops_a_beginning_but_no_release(house: FakeHouse) -> None:
    hold_from_1305(house)
    house.charger.answers = [IDLE]
    with closing(house.app("13:29")) as app:
        app.db.execute("PRAGMA query_only = ON")
        code = run_guarded(lambda: decide_and_apply(app))

    assert rests(house)
    assert code == StoreError.exit_code


def test_a_refused_sign_in_does_not_hide_in_an_outage_that_was_told(house: FakeHouse) -> None:
    house.tariff.spans = UnreachableError("down", service="kraken")
    for minute in house.minutes("12:00", "12:20"):
        run(house, minute, fetch_plan_if_due)
    house.tariff.spans = SignInRefusedError("wrong password", service="kraken")

    for minute in house.minutes("12:21", "12:40"):
        run(house, minute, fetch_plan_if_due)
    house.tariff.spans = []
    (house.folder / ".kraken.json").write_text("{}")
    run(house, "12:45", fetch_plan_if_due)

    assert [line.split(":")[1].split(".")[0] for line in house.warned[:2]] == [" down", " wrong password"]
    assert len(house.warned) == 4  # two begun, two over


def test_a_wait_that_tesla_asks_for_holds_a_release_back_for_minutes_only(house: FakeHouse) -> None:
    hold_from_1305(house)
    house.charger.answers = [IDLE]
    house.battery.trouble = {"read": ThrottledError("429", retry_after=timedelta(hours=9), service="tesla")}
    run(house, "13:29")
    house.battery.trouble = {}

    for minute in house.minutes("13:30", "13:32"):
        run(house, minute)

    assert rests(house)


def test_a_manual_override_goes_along_when_its_window_moves_on(house: FakeHouse) -> None:
    hold_from_1305(house)
    house.battery.mode = "self_consumption"
    run(house, "13:28", fetch_plan_if_due)
    run(house, "13:29")
    writes = list(house.battery.writes)
    house.tariff.spans = ["13:30-17:00"]

    for minute in house.minutes("13:31", "17:20"):
        run(house, minute, run_tick)

    assert house.battery.writes == writes


def test_the_reset_does_not_write_where_outside_powers_cannot_be_learnt_and_nothing_is_ours(house: FakeHouse) -> None:
    house.battery.mode, house.battery.lockouts = "backup", None

    assert run(house, "00:05", run_midnight_reset) == UnreachableError.exit_code

    assert house.battery.writes == []


def test_a_storm_is_asked_about_once_a_run_and_every_few_minutes_at_night(house: FakeHouse) -> None:
    house.battery.lockouts = frozenset({Lockout.STORM_WATCH})

    for minute in house.minutes("00:01", "05:59"):
        run(house, minute, run_tick)

    assert house.battery.calls.count("enter") <= 75  # 360 minutes, every fifth


def test_a_change_of_both_values_by_hand_leaves_nothing_that_looks_confirmed(house: FakeHouse) -> None:
    hold_from_1305(house)
    house.battery.mode, house.battery.reserve_pct = "self_consumption", 50
    run(house, "13:28", fetch_plan_if_due)

    run(house, "13:29")

    with closing(house.app("13:30")) as app:
        memory = load_battery_memory(app.read_only_db)
    assert (memory.owned, memory.settings_before, memory.confirmed_mode, memory.confirmed_reserve_pct) == (
        False, None, "self_consumption", 50,
    )  # fmt: skip


def test_a_reading_that_cannot_be_written_down_still_releases(house: FakeHouse) -> None:
    hold_from_1305(house)
    run(house, "13:28", fetch_plan_if_due)
    house.charger.answers = [IDLE]
    with closing(house.app("13:29")) as app:
        app.db.execute("PRAGMA query_only = ON")
        run_guarded(lambda: decide_and_apply(app))

    assert rests(house)
