"""Houses with a day behind them for reports to tell of, written straight into their databases: played in no time."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from smartcharge.commands.demo import make_command_runner
from smartcharge.policy.model import ChargerReading, ChargerState, Dispatch, Hold, HoldKind, Reason, RegisteredDevice
from smartcharge.policy.plan import KnownDispatch, diff_plan
from smartcharge.simulator.scenario_runner import CommandResult
from smartcharge.store.control import mark_hold_confirmed, set_hold
from smartcharge.store.database import open_store, transaction
from smartcharge.store.devices import record_devices
from smartcharge.store.dispatches import apply_plan_changes, load_planned_dispatches, record_completed_dispatches
from smartcharge.store.events import Event, EventDetail
from smartcharge.store.journal import append_journal
from smartcharge.store.readings import record_battery_level, record_charger_reading
from smartcharge.store.services import count_alert_failure

DAY = datetime(2026, 12, 9, tzinfo=UTC)
NEXT_MORNING = DAY + timedelta(days=1, hours=6)
CAR = "car"
HOSTILE = "<script>alert('x')</script> & <b onmouseover=\"x\">bold</b> \x1b[31m " + "unbroken" * 40
CONFIG_TEXT = """
eon_next: {email: owner@example.com, password: "not a real one", import_account: A-12345678}
myenergi: {hub_serial: "12345678", api_key: not-a-real-one}
tesla: {account_email: owner@example.com}
database: {path: smartcharge.db}
"""
GCAL_CONFIG = (
    'gcal: {smtp_user: sender@example.com, smtp_pass: "abcd efgh ijkl mnop", invite_to: calendar@example.com}\n'
)


def at(clock: str) -> datetime:
    """A moment of the day, UTC, which is what London's clocks show in December."""
    return datetime.combine(DAY, time.fromisoformat(clock), UTC)


FillDay = Callable[[sqlite3.Connection], None]
"""Writes a day into a memory."""


def make_house(folder: Path, day: FillDay, *, mail: str = GCAL_CONFIG) -> Path:
    """A house whose memory holds a day; gives its configuration."""
    folder.mkdir(exist_ok=True)
    path = folder / "config.yaml"
    path.write_text(CONFIG_TEXT + mail, encoding="utf-8")
    path.chmod(0o600)
    with closing(open_store(folder / "smartcharge.db")) as db, transaction(db):
        day(db)
    return path


def run_report(config: Path, *arguments: str, now: datetime = NEXT_MORNING) -> CommandResult:
    """Run `report` in this process."""
    return make_command_runner(config)(["report", *arguments], now)


def fill_nothing(db: sqlite3.Connection) -> None:
    """A day on which nothing happened at all."""
    record_devices(db, [RegisteredDevice(CAR, watched=True)])


def fill_ordinary_day(db: sqlite3.Connection) -> None:
    """The demo's evening: a window that moves, an overrun, one withdrawn, and one in which the car is idle."""
    fill_nothing(db)
    store_plan(db, "11:51", ("13:00", "14:30"))
    store_plan(db, "13:20", ("13:00", "15:00"))
    store_plan(db, "15:01")
    store_plan(db, "16:11", ("17:30", "18:30"))
    store_plan(db, "17:05")
    store_plan(db, "17:08")
    store_plan(db, "18:50", ("20:00", "21:00"))
    _store_hold(db)
    for clock in ("13:00", "20:00", "20:30"):
        store_charger_reading(db, clock, ChargerState.IDLE, 0, 0.0 if clock == "13:00" else 16.3)
    for n, clock in enumerate(("13:04", "13:29", "13:59", "14:29", "14:59", "15:10", "15:18")):
        store_charger_reading(
            db, clock, ChargerState.CHARGING, 7150 + 10 * n, (at(clock) - at("13:04")) / timedelta(hours=1) * 7.2
        )
        if n < 5:
            record_battery_level(db, at(clock), 29.0 + 17 * n, 13.5)
    store_charger_reading(db, "15:20", ChargerState.IDLE, 0, 16.3)
    half_hours = [(at("13:00") + n * timedelta(minutes=30), at("13:30") + n * timedelta(minutes=30)) for n in range(4)]
    record_completed_dispatches(
        db, [Dispatch(start, end, 3.6, location="AT_HOME") for start, end in half_hours], NEXT_MORNING
    )


def fill_shadow_day(db: sqlite3.Connection) -> None:
    """The same evening beside another controller: the Powerwall is looked at, and nothing is confirmed."""
    fill_ordinary_day(db)
    db.execute("DELETE FROM journal")
    db.execute("DELETE FROM readings WHERE kind = 'battery'")
    for n in range(48):
        detail = "wanted: normal; the Powerwall is in Time-Based Control (Backup Reserve 20 %)"
        moment = DAY + timedelta(minutes=5) + n * timedelta(minutes=30)
        append_journal(db, at=moment, command="shadow", outcome=Event.AGREES, detail=detail)


def fill_forty_revisions(db: sqlite3.Connection) -> None:
    """A plan that is revised every quarter of an hour, and never the same."""
    fill_nothing(db)
    for n in range(40):
        start, end = DAY + timedelta(hours=16, minutes=n % 7 * 15), DAY + timedelta(hours=19, minutes=n * 7)
        seen_at = DAY + timedelta(hours=6, minutes=15 * n)
        known = _store_device(db, seen_at)
        apply_plan_changes(db, CAR, diff_plan(known, [Dispatch(start, end, 7.0)], seen_at), seen_at)


def fill_error_day(db: sqlite3.Connection) -> None:
    """Everything goes wrong, all day long, and is told in words that mean harm."""
    fill_forty_revisions(db)
    _store_hold(db)
    for n in range(288):
        moment = DAY + n * timedelta(minutes=5)
        state = (ChargerState.UNKNOWN, ChargerState.CHARGING, ChargerState.IDLE)[n % 3]
        watts = None if state is ChargerState.UNKNOWN else 7000.0 * (n % 3 == 1) + n
        record_charger_reading(db, ChargerReading(state, moment, watts, HOSTILE, n / 10), error=HOSTILE)
        record_battery_level(db, moment, n % 100)
        outcome = ("trouble", "failed", "well again", "waiting", "waited", "confirmed")[n % 6]
        detail = EventDetail(mode=HOSTILE, reserve_pct=20) if outcome == "confirmed" else HOSTILE
        error = f"{n} {HOSTILE}" if outcome in {"trouble", "failed"} else None
        append_journal(db, at=moment, command="reconcile", outcome=Event(outcome), error=error, detail=detail)
        append_journal(db, at=moment, command="send-invites", outcome=Event.SENT, detail=f"{n} {HOSTILE}")
    for command in ("reconcile", "fetch-dispatches", HOSTILE):
        count_alert_failure(db, command, HOSTILE, at("12:00"))


SAMPLE_DAYS = {
    "nothing": fill_nothing,
    "ordinary": fill_ordinary_day,
    "in the shadow": fill_shadow_day,
    "forty revisions": fill_forty_revisions,
    "full of trouble": fill_error_day,
}


def store_plan(db: sqlite3.Connection, seen: str, *windows: tuple[str, str]) -> None:
    """Let the supplier answer with these windows."""
    answer = [Dispatch(at(start), at(end), (at(end) - at(start)) / timedelta(hours=1) * 7.2) for start, end in windows]
    apply_plan_changes(db, CAR, diff_plan(_store_device(db, at(seen)), answer, at(seen)), at(seen))


def store_charger_reading(
    db: sqlite3.Connection, clock: str, state: ChargerState, watts: float, session_kwh: float
) -> None:
    """Let the charger be read."""
    record_charger_reading(db, ChargerReading(state, at(clock), watts, "", round(session_kwh, 2)))


def _store_device(db: sqlite3.Connection, now: datetime) -> tuple[KnownDispatch, ...]:
    return load_planned_dispatches(db, CAR, now)


def _store_hold(db: sqlite3.Connection) -> None:
    """Hold from 13:04, renew, extend once, and release when the car stops."""
    steps = (("13:04", "13:30"), ("13:29", "14:00"), ("13:59", "14:30"), ("14:29", "15:00"))
    for clock, until in steps:
        set_hold(db, Hold(at(until)), Reason.CHARGING_IN_WINDOW, at(clock), at("13:00"))
        _store_confirmation(db, clock, Reason.CHARGING_IN_WINDOW, until)
    set_hold(db, Hold(at("15:30"), HoldKind.EXTENSION), Reason.OVERRUN, at("14:59"))
    _store_confirmation(db, "14:59", Reason.OVERRUN, "15:30")
    set_hold(db, None, Reason.CAR_STOPPED, at("15:20"))
    _store_confirmation(db, "15:20", Reason.CAR_STOPPED)
    for clock, told in (("13:04", "invite sent: Wed 13:00-14:30"), ("14:59", "invite updated: Wed 13:00-15:30")):
        append_journal(db, at=at(clock), command="send-invites", outcome=Event.SENT, detail=told)


def _store_confirmation(db: sqlite3.Connection, clock: str, reason: Reason, until: str | None = None) -> None:
    held = reason in {Reason.CHARGING_IN_WINDOW, Reason.OVERRUN}
    mode, reserve_pct = ("backup", 100) if held else ("autonomous", 20)
    detail = EventDetail(mode=mode, reserve_pct=reserve_pct, until=at(until) if until else None)
    append_journal(db, at=at(clock), command="reconcile", reason=reason, outcome=Event.CONFIRMED, detail=detail)
    mark_hold_confirmed(db, at(clock))
