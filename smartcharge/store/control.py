"""The holds: at most one is open, and a closed one stays."""

import sqlite3
from datetime import datetime, timedelta

from msgspec import Struct

from smartcharge.errors import DamagedRowError
from smartcharge.policy.battery import (
    FULL_RESERVE_PCT,
    BatteryMemory,
    BatterySettings,
    BatterySite,
    UnconfirmedCommands,
)
from smartcharge.policy.decide import MAX_TRUSTED_CLOCK_LEAD, is_clock_implausible
from smartcharge.policy.model import Hold, HoldKind, ManualOverride, Pause, Policy, Reason, State
from smartcharge.policy.slots import last_noon
from smartcharge.store.dispatches import load_windows
from smartcharge.store.events import Event
from smartcharge.store.journal import append_journal, load_last_journal_id, load_newest_journal_at
from smartcharge.store.rows import (
    DAMAGED_ROW_FIX,
    RefusedValueError,
    StoreRow,
    note_refused_row,
    parse_first,
    parse_rows,
)
from smartcharge.store.services import is_alert_open
from smartcharge.store.times import format_instant, format_optional_instant


class HoldRow(Struct, frozen=True):
    """A hold as stored, open or closed.

    reason: the rule that opened it or last changed it, None where that cannot be read. window_start: start of the
    contiguous window it belongs to, where known. confirmed_at: the first read-back that showed it, None where none
    has. closed_at: None while it is open.
    """

    id: int
    hold: Hold
    opened_at: datetime
    reason: Reason | None
    window_start: datetime | None = None
    closed_at: datetime | None = None
    closed_reason: Reason | None = None
    confirmed_at: datetime | None = None


def load_open_hold(db: sqlite3.Connection) -> HoldRow | None:
    """Give the open hold, if there is one; `DamagedRowError` where it cannot be read until when it stands.

    Whatever else of it cannot be read is left out and collected: the hold must end when it is due.
    """
    row: StoreRow | None = db.execute("SELECT * FROM holds WHERE closed_at IS NULL").fetchone()
    if row is None:
        return None
    try:
        return hold_from_row(row)
    except RefusedValueError as error:
        note_refused_row(db, "holds", row, error)
    try:
        return _essential_hold_from_row(row)
    except RefusedValueError as error:
        message = f"the database cannot tell until when the Powerwall is held: holds {row['id']}: {error}"
        raise DamagedRowError(message, fix=DAMAGED_ROW_FIX) from None


def set_hold(
    db: sqlite3.Connection, new_hold: Hold | None, reason: Reason, now: datetime, window_start: datetime | None = None
) -> None:
    """Open, change in place, or close: afterwards `to` is what is held; if it already is, nothing is written."""
    open_hold = load_open_hold(db)
    if open_hold is None and new_hold is not None:
        _insert_hold(db, new_hold, reason, now, window_start)
    elif open_hold is not None and new_hold is None:
        _close_hold(db, open_hold.id, reason, now)
    elif open_hold is not None and new_hold is not None and open_hold.hold != new_hold:
        _update_hold(db, open_hold.id, new_hold, reason, window_start)


def mark_hold_confirmed(db: sqlite3.Connection, now: datetime) -> None:
    """Note that a read-back shows the open hold; only the first one is kept."""
    db.execute(
        "UPDATE holds SET confirmed_at = ? WHERE closed_at IS NULL AND confirmed_at IS NULL", (format_instant(now),)
    )


def hold_duration(db: sqlite3.Connection, since: datetime, now: datetime) -> timedelta:
    """Add up how long was held between `since` and `now`; an open hold counts up to now."""
    spans = ((max(h.opened_at, since), min(h.closed_at or now, now)) for h in load_hold_history(db, since, now))
    return sum((end - start for start, end in spans if start < end), timedelta(0))


def load_hold_history(db: sqlite3.Connection, since: datetime, until: datetime) -> tuple[HoldRow, ...]:
    """Give the holds that stood at any time in [since, until), the open one among them, oldest first."""
    rows = db.execute(
        "SELECT * FROM holds WHERE COALESCE(closed_at, '~') > ? AND opened_at < ? ORDER BY opened_at, id",
        (format_instant(since), format_instant(until)),
    )
    return parse_rows(db, "holds", rows, hold_from_row)


def _insert_hold(
    db: sqlite3.Connection, new_hold: Hold, reason: Reason, now: datetime, window_start: datetime | None
) -> None:
    db.execute(
        "INSERT INTO holds (opened_at, until, kind, because, window_start) VALUES (?, ?, ?, ?, ?)",
        (
            format_instant(now),
            format_instant(new_hold.until),
            new_hold.kind,
            reason,
            format_optional_instant(window_start),
        ),
    )


def _update_hold(
    db: sqlite3.Connection, row: int, new_hold: Hold, reason: Reason, window_start: datetime | None
) -> None:
    db.execute(
        "UPDATE holds SET until = ?, kind = ?, because = ?, window_start = COALESCE(?, window_start) WHERE id = ?",
        (format_instant(new_hold.until), new_hold.kind, reason, format_optional_instant(window_start), row),
    )


def _close_hold(db: sqlite3.Connection, row: int, reason: Reason, now: datetime) -> None:
    db.execute("UPDATE holds SET closed_at = ?, closed_because = ? WHERE id = ?", (format_instant(now), reason, row))


def hold_from_row(row: StoreRow) -> HoldRow:
    """Parse a row of the table `holds`."""
    return HoldRow(
        id=row.integer("id"),
        hold=Hold(row.instant("until"), row.member("kind", HoldKind)),
        opened_at=row.instant("opened_at"),
        reason=row.member("because", Reason),
        window_start=row.optional_instant("window_start"),
        closed_at=row.optional_instant("closed_at"),
        closed_reason=row.optional_member("closed_because", Reason),
        confirmed_at=row.optional_instant("confirmed_at"),
    )


def _essential_hold_from_row(row: StoreRow) -> HoldRow:
    """The open hold without what a release does not need."""
    until = row.instant("until")
    try:
        kind, opened_at = row.member("kind", HoldKind), row.instant("opened_at")
    except RefusedValueError:
        kind, opened_at = HoldKind.EXTENSION, until  # an extension is never prolonged
    return HoldRow(id=row["id"], hold=Hold(until, kind), opened_at=opened_at, reason=None)


def load_battery_memory(db: sqlite3.Connection) -> BatteryMemory:
    """Give what is remembered; before the first write that is nothing.

    Where only ownership can be read, that is what is given: what is ours is brought back to the configured settings.
    `DamagedRowError` where not even ownership can be read.
    """
    row: StoreRow | None = db.execute("SELECT * FROM battery").fetchone()
    if row is None:
        return BatteryMemory()
    try:
        return battery_memory_from_row(row)
    except RefusedValueError as error:
        note_refused_row(db, "battery", row, error)
    try:
        owned = row.flag("owns_mode"), row.flag("owns_reserve")
    except RefusedValueError as error:
        message = f"the database cannot tell whether the Powerwall is to be brought back: battery: {error}"
        raise DamagedRowError(message, fix=DAMAGED_ROW_FIX) from None
    try:
        site = _site_from_row(row)
    except RefusedValueError:
        site = None
    return BatteryMemory(owns_mode=owned[0], owns_reserve=owned[1], site=site)


def battery_memory_from_row(row: StoreRow) -> BatteryMemory:
    """Parse the one row of the table `battery`."""
    before_mode = row.optional_text("before_mode")
    return BatteryMemory(
        owned_since=row.optional_instant("owned_since"),
        owns_mode=row.flag("owns_mode"),
        owns_reserve=row.flag("owns_reserve"),
        settings_before=None
        if before_mode is None
        else BatterySettings(before_mode, row.integer("before_reserve_pct", highest=FULL_RESERVE_PCT)),
        confirmed_mode=row.optional_text("confirmed_mode"),
        confirmed_reserve_pct=row.optional_integer("confirmed_reserve_pct", highest=FULL_RESERVE_PCT),
        in_doubt_since=row.optional_instant("in_doubt_since"),
        unverified_until=row.optional_instant("unverified_until"),
        timed_hold_until=row.optional_instant("timed_hold_until"),
        rate_plan_missing=row.flag("rate_plan_missing"),
        midnight_reset_at=row.optional_instant("midnight_reset_at"),
        site=_site_from_row(row),
        unconfirmed=_unconfirmed_from_row(row),
    )


def _site_from_row(row: StoreRow) -> BatterySite | None:
    backend, site = row.optional_text("site_backend"), row.optional_text("site")
    return None if backend is None or site is None else BatterySite(backend, site)


def _unconfirmed_from_row(row: StoreRow) -> UnconfirmedCommands | None:
    if row["unconfirmed_releasing"] is None:
        return None
    return UnconfirmedCommands(
        releasing=row.flag("unconfirmed_releasing"),
        runs=row.optional_integer("unconfirmed_runs") or 0,
        mode=row.optional_text("unconfirmed_mode"),
        mode_at=row.optional_instant("unconfirmed_mode_at"),
        reserve_pct=row.optional_integer("unconfirmed_reserve_pct", highest=FULL_RESERVE_PCT),
        reserve_at=row.optional_instant("unconfirmed_reserve_at"),
    )


def save_battery_memory(db: sqlite3.Connection, memory: BatteryMemory) -> None:
    """Remember this instead; what is remembered already is not written again."""
    values = _battery_columns(memory)
    row = db.execute(f"SELECT {', '.join(values)} FROM battery").fetchone()  # noqa: S608  # our own names
    if row is None or tuple(row) != tuple(values.values()):
        places = ", ".join(f":{column}" for column in values)
        db.execute(
            f"INSERT OR REPLACE INTO battery (id, {', '.join(values)}) VALUES (1, {places})",  # noqa: S608  # as above
            values,
        )


def _battery_columns(memory: BatteryMemory) -> dict[str, str | int | None]:
    return (
        {
            "owned_since": format_optional_instant(memory.owned_since),
            "owns_mode": int(memory.owns_mode),
            "owns_reserve": int(memory.owns_reserve),
            "before_mode": memory.settings_before.mode if memory.settings_before else None,
            "before_reserve_pct": memory.settings_before.reserve_pct if memory.settings_before else None,
            "confirmed_mode": memory.confirmed_mode,
            "confirmed_reserve_pct": memory.confirmed_reserve_pct,
            "in_doubt_since": format_optional_instant(memory.in_doubt_since),
            "unverified_until": format_optional_instant(memory.unverified_until),
            "timed_hold_until": format_optional_instant(memory.timed_hold_until),
            "rate_plan_missing": int(memory.rate_plan_missing),
            "midnight_reset_at": format_optional_instant(memory.midnight_reset_at),
        }
        | _site_columns(memory.site)
        | _unconfirmed_columns(memory.unconfirmed)
    )


def _site_columns(site: BatterySite | None) -> dict[str, str | int | None]:
    if site is None:
        return dict.fromkeys(("site_backend", "site"))
    return {"site_backend": site.backend, "site": site.site}


def _unconfirmed_columns(unconfirmed: UnconfirmedCommands | None) -> dict[str, str | int | None]:
    commands = unconfirmed or UnconfirmedCommands(releasing=False)
    return {
        "unconfirmed_releasing": None if unconfirmed is None else int(unconfirmed.releasing),
        "unconfirmed_runs": None if unconfirmed is None else unconfirmed.runs,
        "unconfirmed_mode": commands.mode,
        "unconfirmed_mode_at": format_optional_instant(commands.mode_at),
        "unconfirmed_reserve_pct": commands.reserve_pct,
        "unconfirmed_reserve_at": format_optional_instant(commands.reserve_at),
    }


def save_pause(db: sqlite3.Connection, now: datetime, until: datetime | None) -> None:
    """Let nothing new begin until then; None: until resumed."""
    db.execute(
        """
        INSERT INTO owner (id, paused_since, paused_until) VALUES (1, ?, ?)
        ON CONFLICT (id) DO UPDATE SET paused_since = excluded.paused_since, paused_until = excluded.paused_until
        """,
        (format_instant(now), format_optional_instant(until)),
    )


def clear_pause_and_override(db: sqlite3.Connection) -> None:
    """End the pause and the stand-down."""
    db.execute("DELETE FROM owner")


def save_manual_override(db: sqlite3.Connection, at: datetime, until: datetime) -> None:
    """Leave the window that `at` lies in to whoever set the battery, at least until then."""
    db.execute(
        """
        INSERT INTO owner (id, override_at, override_until) VALUES (1, ?, ?)
        ON CONFLICT (id) DO UPDATE SET
            override_at = excluded.override_at, override_until = excluded.override_until
        """,
        (format_instant(at), format_instant(until)),
    )


def load_pause(db: sqlite3.Connection) -> Pause | None:
    """Give the pause, over or not; what the owner said and cannot be read counts as a pause without an end."""
    row: StoreRow | None = db.execute("SELECT * FROM owner").fetchone()
    if row is None:
        return None
    try:
        return owner_from_row(row)[0]
    except RefusedValueError as error:
        note_refused_row(db, "owner", row, error)
        return Pause()


def load_manual_override(db: sqlite3.Connection) -> ManualOverride | None:
    """Give the manual override, over or not."""
    found = parse_first(db, "owner", db.execute("SELECT * FROM owner"), owner_from_row)
    return None if found is None else found[1]


def owner_from_row(row: StoreRow) -> tuple[Pause | None, ManualOverride | None]:
    """Parse the one row of the table `owner`."""
    paused_since, paused_until = row.optional_instant("paused_since"), row.optional_instant("paused_until")
    at, until = row.optional_instant("override_at"), row.optional_instant("override_until")
    pause = None if paused_since is None else Pause(paused_until)
    return pause, None if at is None or until is None else ManualOverride(at, until)


def load_state(db: sqlite3.Connection, now: datetime, policy: Policy) -> State:
    """Put together what is stored; the charger is UNKNOWN. Writes nothing."""
    held = load_open_hold(db)
    return State(
        now=now,
        policy=policy,
        windows=load_windows(db, now),
        hold=None if held is None else held.hold,
        pause=load_pause(db),
        manual_override=load_manual_override(db),
        held_since_noon=hold_duration(db, last_noon(now, policy.cheap_period.zone), now),
        clock_is_doubtful=is_clock_doubtful(db, now),
    )


CLOCK_DOUBT_ALERT = ("reconcile", "this computer's clock")
"""Open from when a hold's stamp or a service's time contradicts the clock, until a service's time agrees with it."""
CLOCK_CONFIRMED_COMMAND = "clock"
"""The journal's command for an entry that says that a service's time agreed with the clock."""
MAX_RUN_DURATION = timedelta(minutes=1)
"""A run may act on what another wrote that began after it."""


def is_clock_doubtful(db: sqlite3.Connection, now: datetime) -> bool:
    """Whether the run's instant lies before what was written down already, or a service says that it is wrong."""
    return _is_behind_journal(db, now) or is_alert_open(db, *CLOCK_DOUBT_ALERT) or is_hold_ahead(db, now)


def _is_behind_journal(db: sqlite3.Connection, now: datetime) -> bool:
    """Whether the journal has a later entry that was written since a service last confirmed the clock."""
    latest = now + MAX_TRUSTED_CLOCK_LEAD
    if not is_clock_implausible(now, load_newest_journal_at(db, latest)):
        return False
    first_id = load_last_journal_id(db, CLOCK_CONFIRMED_COMMAND)
    return is_clock_implausible(now, load_newest_journal_at(db, latest, first_id=first_id))


def confirm_clock(db: sqlite3.Connection, now: datetime) -> None:
    """Let later entries of the journal no longer count against the clock, because a service's time agrees with it.

    Writes only where an entry does count against it.
    """
    if _is_behind_journal(db, now):
        text = "a service's time agrees with this computer's clock"
        append_journal(db, at=now, command=CLOCK_CONFIRMED_COMMAND, outcome=Event.REMARKED, detail=text)


def is_hold_ahead(db: sqlite3.Connection, now: datetime) -> bool:
    """Whether the open hold began later than now, however much later: then the clock has gone back since."""
    latest = format_instant(now + MAX_RUN_DURATION)
    query = "SELECT 1 FROM holds WHERE closed_at IS NULL AND opened_at > ?"
    return db.execute(query, (latest,)).fetchone() is not None
