"""The screen of `status`: what a householder reads there, on any terminal, and whatever is broken."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from stored_house import (
    CONFIG_TEXT,
    MINUTE,
    NOW,
    StoredHouse,
    TerminalOutput,
    make_stored_house,
    record_refused_sign_in,
    store_charger_reading,
    store_journal_entry,
    store_open_hold,
    store_planned_window,
)

from smartcharge.policy.battery import BatteryMemory
from smartcharge.policy.model import ChargerState, RegisteredDevice
from smartcharge.store.control import load_open_hold, save_battery_memory, save_manual_override, save_pause, set_hold
from smartcharge.store.database import StoreConnection
from smartcharge.store.devices import record_devices, record_plan_fetch
from smartcharge.store.outbox import load_next_due_message, mark_message_failed, queue_message
from smartcharge.store.services import count_alert_failure, mark_alert_notified, record_service_failure

HOUR = 60 * MINUTE
COLOUR = re.compile(r"\x1b\[[0-9;]*m")

Prepare = Callable[[StoreConnection], object]


def stale(db: StoreConnection) -> None:
    store_planned_window(db)
    record_plan_fetch(db, "car", NOW - 15 * MINUTE, ok=True)


def boosted(db: StoreConnection) -> None:
    store_planned_window(db)
    record_devices(db, [RegisteredDevice("car", watched=True, boosting=True)])


def idle(db: StoreConnection) -> None:
    store_planned_window(db)
    store_charger_reading(db, ChargerState.IDLE, 0)


def at_rest(db: StoreConnection) -> None:
    save_battery_memory(
        db, BatteryMemory(confirmed_mode="autonomous", confirmed_reserve_pct=20, midnight_reset_at=NOW - 13 * HOUR)
    )
    store_journal_entry(
        db, "midnight-reset", "already at rest", "Time-Based Control (Backup Reserve 20 %)", at=NOW - 13 * HOUR
    )


def owned(db: StoreConnection) -> None:
    store_open_hold(db)
    set_hold(db, None, load_open_hold(db).reason, NOW)  # type: ignore[union-attr]


def paused(db: StoreConnection) -> None:
    save_pause(db, NOW - MINUTE, NOW + 5 * HOUR)


def stood_down(db: StoreConnection) -> None:
    store_planned_window(db)
    save_manual_override(db, NOW - MINUTE, NOW + HOUR)


def five_windows(db: StoreConnection) -> None:
    for hours in range(1, 10, 2):
        store_planned_window(db, NOW + hours * HOUR, 0.5)


def in_the_night(db: StoreConnection) -> None:
    store_planned_window(db, NOW + 12 * HOUR)


SCENES: dict[str, tuple[Prepare, tuple[str, ...]]] = {
    "nothing was ever planned": (
        lambda _: None,
        ("Powerwall  not used yet", "because    the car is not charging in a", "slots      none ahead"),
    ),
    "it rests": (
        at_rest,
        ("Powerwall  in its normal mode", "Time-Based Control (Backup Reserve 20 %) (read 13 h ago)"),
    ),
    "a hold": (
        store_open_hold,
        ("Powerwall  charging from the grid; the slot ends 14:30", "because    the car is charging in a smart-",
         "next decision 13:28 (read 1 min ago). Meanwhile the Tesla app shows", "energy     50 % full (1 min ago)",
         "car        charging, 7,200 W (1 min ago)", "slots      Wed 13:00-14:30, about 10.8 kWh, now",
         "last runs  13:05 reconcile: Powerwall: charging from the grid (Backup Reserve 100 %) until 13:30: the car"),
    ),
    "a hold in doubt": (
        lambda db: store_open_hold(db, confirmed=False),
        ("Powerwall  asked to charge it from the grid until 13:30; not confirmed yet", "being changed: Tesla has not"),
    ),
    "the way back": (owned, ("Powerwall  being returned to normal",)),
    "an idle car": (idle, ("a smart-charging slot is open, but the car is not charging", "car        idle, 0 W")),
    "an unknown car": (store_planned_window, ("but it is not known whether the car is charging", "not asked yet")),
    "a forced charge": (boosted, ("but the charge is boosted by hand, at the peak rate",)),
    "a stale plan": (stale, ("but the charging schedule is too old", "fetched 15 min ago, too old")),
    "a pause": (paused, ("because    you have paused smartcharge", "paused     until 18:06")),
    "a stand-down": (stood_down, ("left alone until 15:00; `smartcharge resume` ends it",)),
    "many windows": (five_windows, ("Wed 14:06-14:36", "Wed 20:06-20:36", "           and 1 more")),
    "a window at night": (in_the_night, ("Thu 01:06-02:36, about 10.8 kWh, in off-peak hours",)),
}  # fmt: skip


def refused(service: str) -> Prepare:
    return lambda db: record_refused_sign_in(db, service, NOW - 15 * HOUR)


def failing(command: str, kind: str, service: str | None = None) -> Prepare:
    def prepare(db: StoreConnection) -> None:
        for _ in range(5):
            count_alert_failure(db, command, kind, NOW - HOUR)
        if service:
            record_service_failure(db, service, NOW - MINUTE, "it answered HTTP 503.", None)

    return prepare


def is_storm_watch_active(db: StoreConnection) -> None:
    line = "Storm Watch controls the Powerwall: smartcharge waits until that is over"
    count_alert_failure(db, "reconcile", "waiting", NOW - MINUTE)
    mark_alert_notified(db, "reconcile", "waiting", NOW - MINUTE)
    store_journal_entry(db, "reconcile", "waiting", line)


def bounced(db: StoreConnection) -> None:
    queue_message(db, "key", b"x", "owner@example.com", NOW)
    outbox_message = load_next_due_message(db, NOW)
    assert outbox_message is not None
    mark_message_failed(db, outbox_message, "550")


def without_rate_plan(db: StoreConnection) -> None:
    save_battery_memory(db, BatteryMemory(rate_plan_missing=True))


def without_car(db: StoreConnection) -> None:
    record_devices(db, [RegisteredDevice("car", watched=False)])


OWNERS, PASSING = "problem  ", "warning  "
WRONG: dict[str, tuple[Prepare, str, tuple[str, ...]]] = {
    "the supplier's sign-in": (refused("kraken"), OWNERS, (
        "your supplier refuses the sign-in (since Tue 08 Dec 22:06)", "To fix: run `smartcharge login kraken`")),
    "the hub's key": (refused("zappi"), OWNERS, ("the API key of the hub", "To fix: correct myenergi.hub_serial")),
    "tesla's sign-in": (refused("tesla"), OWNERS, ("Tesla refuses", "To fix: run `smartcharge login tesla`")),
    "the mail's sign-in": (refused("mail"), OWNERS, ("mail server refuses", "To fix: make a new App Password")),
    "a sign-in that was corrected": (failing("reconcile", "zappi sign-in"), PASSING, (
        "or did before something was changed", "tries again by itself")),
    "the supplier is down": (failing("fetch-dispatches", "kraken", "kraken"), PASSING, (
        "schedule (5 attempts): it answered HTTP 503 (since 12:06)", "           No action needed")),
    "the battery does not obey": (failing("reconcile", "tesla", "tesla"), PASSING, (
        "the Powerwall cannot be set (5 attempts)", "check the Tesla app")),
    "storm watch": (is_storm_watch_active, PASSING, (
        "Powerwall  controlled by something else", "warning    Storm Watch controls the Powerwall")),
    "a wrong device": (failing("fetch-dispatches", "device", "kraken"), OWNERS, ("run `smartcharge doctor`",)),
    "a wrong clock": (failing("reconcile", "clock"), OWNERS, ("clock is not right", "timedatectl set-ntp true")),
    "a calendar file": (failing("send-invites", "feed"), OWNERS, ("the calendar file cannot be written",)),
    "an unknown kind": (failing("reconcile", "moon"), PASSING, ("`smartcharge reconcile` has a problem with moon",)),
    "no rate plan": (without_rate_plan, OWNERS, ("refuses Time-Based Control", "To fix: set your tariff")),
    "no active car": (without_car, OWNERS, ("has no active car of yours", "To fix: connect it")),
    "refused invites": (bounced, OWNERS, ("has refused 1 invites", "the address in gcal.invite_to")),
}  # fmt: skip


@pytest.fixture
def memory(tmp_path: Path) -> StoredHouse:
    return make_stored_house(tmp_path)


@pytest.mark.parametrize(("prepare", "lines"), SCENES.values(), ids=SCENES)
def test_the_screen_tells_a_householder(memory: StoredHouse, prepare: Prepare, lines: tuple[str, ...]) -> None:
    with memory.writing() as db:
        prepare(db)

    outcome = memory.run("status")

    assert outcome.exit_code == 0
    assert [line for line in lines if line not in outcome.stdout] == [], outcome.stdout
    assert OWNERS not in outcome.stdout


@pytest.mark.parametrize(("prepare", "label", "lines"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_with_its_mend(
    memory: StoredHouse, prepare: Prepare, label: str, lines: tuple[str, ...]
) -> None:
    with memory.writing() as db:
        prepare(db)

    outcome = memory.run("status")

    assert outcome.exit_code == 0
    assert [line for line in lines if line not in outcome.stdout] == [], outcome.stdout
    assert [each for each in (OWNERS, PASSING) if each in outcome.stdout] == [label]


def test_what_is_wrong_stands_in_the_object_too(memory: StoredHouse) -> None:
    with memory.writing() as db:
        refused("tesla")(db)
        failing("fetch-dispatches", "kraken", "kraken")(db)

    found = json.loads(memory.run("status", "--json").stdout)

    assert found["refused_sign_ins"] == ["tesla"]
    assert [(need["urgent"], need["since"]) for need in found["needs"]] == [
        (True, "2026-12-08T22:06:02Z"),
        (False, "2026-12-09T12:06:02Z"),
    ]


def test_a_battery_that_is_kept_as_it_is_does_not_fill(memory: StoredHouse) -> None:
    memory.configure(f"{CONFIG_TEXT}control: {{hold: preserve}}\n")
    with memory.writing() as db:
        store_open_hold(db, mode="self_consumption", reserve_pct=50)

    said = memory.run("status").stdout

    assert "Powerwall  keeping its charge; the slot ends 14:30" in said
    assert "Self-Powered (Backup Reserve 50 %); next decision 13:28" in said


def test_in_the_shadow_the_screen_says_that_nothing_is_set(memory: StoredHouse) -> None:
    memory.configure(f"{CONFIG_TEXT}control: {{shadow: true}}\n")
    resting = memory.run("status").stdout
    with memory.writing() as db:
        store_open_hold(db)
        was_ours = memory.run("status").stdout
        save_battery_memory(db, BatteryMemory())
    would = memory.run("status").stdout

    for said in (resting, was_ours, would):
        assert "shadow     control.shadow is true: " in said
    assert "Powerwall  left to the other controller\n" in resting
    assert "smartcharge would charge it from the grid until 13:30" in would
    assert "settings   set by the other controller" in would
    assert "next decision" not in would


def test_without_a_shadow_the_screen_does_not_speak_of_one(memory: StoredHouse) -> None:
    assert "shadow" not in memory.run("status").stdout


def test_a_silent_crontab_is_noticed(memory: StoredHouse) -> None:
    said = memory.run("status", at=NOW + 3 * HOUR).stdout

    assert "problem    smartcharge has not run for 3 h (since 13:05)" in said
    assert "`crontab -l`" in said


def test_a_hold_that_nobody_has_ended_is_told_first(memory: StoredHouse) -> None:
    with memory.writing() as db:
        store_open_hold(db)

    assert "Powerwall  should have returned to normal at 13:30" in memory.run("status", at=NOW + HOUR).stdout


def test_who_asks_at_night_hears_of_the_night_rate(memory: StoredHouse) -> None:
    assert "the whole house is on the off-peak rate" in memory.run("status", at=NOW + 12 * HOUR).stdout


def test_a_database_that_is_not_there_yet_is_told_with_its_mend(memory: StoredHouse) -> None:
    memory.database.unlink()

    outcome = memory.run("status")

    assert outcome.exit_code == 0
    assert f"there is no database at {memory.database}" in outcome.stdout
    assert "To fix: run `smartcharge tick`" in outcome.stdout
    assert not memory.database.exists()


def test_a_broken_database_leaves_what_can_be_said(memory: StoredHouse) -> None:
    memory.database.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)

    outcome = memory.run("status")

    assert outcome.exit_code == 4
    assert "Powerwall  not known: the database cannot be read" in outcome.stdout
    assert f"the database {memory.database} is" in outcome.stdout
    assert str(memory.database) in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_a_program_is_told_nothing_that_is_not_known(memory: StoredHouse) -> None:
    memory.database.write_text("a shopping list\n" * 100)

    outcome = memory.run("status", "--json")

    assert (outcome.exit_code, outcome.stdout) == (4, "")
    assert "is not an SQLite database" in outcome.stderr


def test_a_damaged_configuration_is_told_by_file_and_key(memory: StoredHouse) -> None:
    memory.configure("eon_next: {import_acount: A-12345678}\n")

    outcome = memory.run("status")

    assert (outcome.exit_code, outcome.stdout) == (4, "")
    assert re.search(r"config\.yaml, line 1: eon_next\.import_acount .* import_account", outcome.stderr)


@pytest.mark.parametrize("columns", [80, 40, 20])
def test_the_screen_keeps_within_the_terminal(
    memory: StoredHouse, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with memory.writing() as db:
        store_open_hold(db)
        store_planned_window(db, NOW + 12 * HOUR)
        store_journal_entry(db, "send-invites", "sent", "invite sent: Wed 13:00-14:30")
        store_journal_entry(
            db, "midnight-reset", "already at rest", "Time-Based Control (Backup Reserve 20 %)", at=NOW - 13 * HOUR
        )
        store_journal_entry(
            db, "fetch-dispatches", "changed", "planned: Wed 13:00-14:30, about 10.8 kWh; " * 9, at=NOW - HOUR
        )
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)

    lines = memory.run("status", out=TerminalOutput()).stdout.splitlines()

    assert max(len(COLOUR.sub("", line)) for line in lines) <= columns
    assert columns < 80 or len(lines) <= 22
    assert columns < 40 or any(COLOUR.search(line) and "charging from the grid" in line for line in lines)


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_are_left_out_where_nobody_wants_them(
    memory: StoredHouse, variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv(variable, value)

    assert not COLOUR.search(memory.run("status", out=TerminalOutput()).stdout)


def test_a_pipe_gets_plain_whole_lines(memory: StoredHouse) -> None:
    with memory.writing() as db:
        store_journal_entry(
            db, "fetch-dispatches", "changed", "planned: " * 40 + "the end", at=NOW - timedelta(hours=1)
        )

    said = memory.run("status").stdout

    assert not COLOUR.search(said)
    assert "the end" in said
