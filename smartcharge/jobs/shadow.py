"""In the shadow of another controller: the Powerwall is read now and then, never set, and held against what is wanted.

Everything else runs as ever: the plan is asked for, the car is looked at, holds are decided and written down.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from smartcharge.app import App
from smartcharge.errors import AppError, UnreachableError
from smartcharge.formatting import local_date_time, powerwall_is
from smartcharge.jobs.polling import TESLA_SERVICE_KEY, can_contact_tesla
from smartcharge.jobs.powerwall import open_powerwall_session
from smartcharge.policy.battery import BatteryReading, BatterySettings, has_hold_settings
from smartcharge.policy.slots import slot_start
from smartcharge.store.control import load_battery_memory, load_open_hold
from smartcharge.store.database import transaction
from smartcharge.store.events import Event, EventDetail
from smartcharge.store.journal import JournalRow, append_journal, load_journal, load_last_journal_row

SHADOW_COMMAND = "shadow"
SHADOW_ALERT_COMMAND = "reconcile"
"""Whose trouble it is: it ends with that command's next success, also where there is no shadow any more."""
SHADOW_SETTLING_TIME = timedelta(minutes=5)
"""So long may the other controller take to follow, into a half hour or a change of mind."""


def run_shadow(app: App) -> None:
    """Look once in every half hour that has settled, with one row in the journal."""
    if not has_shadow_work(app):
        return
    with app.alerts.watch_lock(app.exclusive_lock(), SHADOW_ALERT_COMMAND):
        try:
            reading = _read_powerwall(app)
        except AppError as error:
            app.alerts.record_failure(SHADOW_ALERT_COMMAND, TESLA_SERVICE_KEY, error)
        else:
            app.alerts.resolve(SHADOW_ALERT_COMMAND, TESLA_SERVICE_KEY)
            _journal_comparison(app, reading, is_holding=has_hold_settings(reading))


def has_shadow_work(app: App) -> bool:
    """Whether the Powerwall is to be looked at: nothing of it is ours, and this half hour has settled unseen."""
    if not app.config.control.shadow or app.config.tesla is None or load_battery_memory(app.read_only_db).owned:
        return False
    slot = slot_start(app.now)
    hold, last = load_open_hold(app.read_only_db), load_last_journal_row(app.read_only_db, SHADOW_COMMAND)
    since = max(slot, hold.opened_at if hold and hold.opened_at <= app.now else slot)
    is_seen = last is not None and since <= last.at <= app.now
    return app.now - since >= SHADOW_SETTLING_TIME and not is_seen and can_contact_tesla(app, releasing=False)


def _read_powerwall(app: App) -> BatteryReading:
    with open_powerwall_session(app) as session:
        reading = session.powerwall.read_settings()
        if reading.mode is None or reading.reserve_pct is None:
            raise UnreachableError(
                "Tesla's answer lacks the operation mode or the backup reserve", service=TESLA_SERVICE_KEY
            )
    return reading


def _journal_comparison(app: App, reading: BatteryReading, *, is_holding: bool) -> None:
    hold = load_open_hold(app.db)
    outcome = Event.AGREES if is_holding == (hold is not None) else Event.DIFFERS
    settings = BatterySettings(reading.mode or "", round(reading.reserve_pct or 0))
    text = f"wanted: {'charging' if hold else 'normal'}; the Powerwall is {powerwall_is(settings)}"
    detail = EventDetail(mode=settings.mode, reserve_pct=settings.reserve_pct, text=text)
    with transaction(app.db):
        reason = hold.reason if hold else None
        append_journal(app.db, at=app.now, command=SHADOW_COMMAND, reason=reason, outcome=outcome, detail=detail)


class ShadowAgreement(Struct, frozen=True):
    """The looks at the Powerwall of a stretch of time, oldest first, apart by what was wanted then."""

    held: tuple[JournalRow, ...]
    resting: tuple[JournalRow, ...]

    @property
    def differing(self) -> list[JournalRow]:
        """Those at which the Powerwall did something else."""
        return [
            row
            for row in sorted((*self.held, *self.resting), key=lambda row: row.id)
            if row.outcome is not Event.AGREES
        ]


def load_shadow_agreement(app: App, since: datetime | None) -> ShadowAgreement:
    """Read what the shadow has seen; since: None for all that is remembered."""
    rows = [
        row
        for row in load_journal(app.read_only_db, since=since, until=app.now, command=SHADOW_COMMAND)
        if row.outcome in {Event.AGREES, Event.DIFFERS}
    ]
    held = tuple(row for row in rows if row.reason is not None)
    return ShadowAgreement(held, tuple(row for row in rows if row.reason is None))


def shadow_agreement_json(agreement: ShadowAgreement) -> dict[str, object]:
    """The same for programs; times in UTC."""
    return {
        "held": _agreement_counts(agreement.held),
        "at_rest": _agreement_counts(agreement.resting),
        "differing": [{"at": f"{row.at:%Y-%m-%dT%H:%M:%SZ}", "detail": row.detail.text} for row in agreement.differing],
    }


def shadow_agreement_lines(agreement: ShadowAgreement, app: App) -> Iterator[str]:
    """The figures, and every look at which the Powerwall did something else."""
    if not (checked := len(agreement.held) + len(agreement.resting)):
        yield "The Powerwall has not been checked yet."
        yield "To fix: set control.shadow to true and let cron run smartcharge beside the other controller."
        return
    yield f"The Powerwall was checked {checked} times."
    yield f"  charging, as wanted  {_agreed_text(agreement.held)}"
    yield f"  normal, as wanted    {_agreed_text(agreement.resting)}"
    for row in agreement.differing:
        yield f"{local_date_time(row.at, app.now, app.policy.cheap_period.zone)}  {row.detail.text}"


def _agreed_text(rows: Sequence[JournalRow]) -> str:
    counts = _agreement_counts(rows)
    return f"{counts['agreed']} of {counts['looks']}"


def _agreement_counts(rows: Sequence[JournalRow]) -> dict[str, int]:
    return {"looks": len(rows), "agreed": sum(row.outcome is Event.AGREES for row in rows)}
