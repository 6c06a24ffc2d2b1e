"""The overview as one object for programs: the promised keys of `status --json`, and what has joined them since."""

from collections.abc import Sequence

from smartcharge.act.show.needs import Need
from smartcharge.act.show.overview import Overview
from smartcharge.core.answers import BatteryLevel
from smartcharge.core.model import ChargerState
from smartcharge.core.stance import BatteryMemory
from smartcharge.store.dispatches import ListedDispatch
from smartcharge.store.episodes import Episode
from smartcharge.store.holds import OpenHold
from smartcharge.store.journal import JournalRow
from smartcharge.store.readings import ChargerRow


def as_json(about: Overview, needs: Sequence[Need]) -> dict[str, object]:
    """The object; instants are left to the encoder, unknown is None."""
    seen, paused_until = about.seen, about.seen.pause and about.seen.pause.until
    return {
        "now": seen.now,
        "dispatches": [_dispatch(row) for row in about.dispatches],
        "fetched_at": about.fetched_at,
        "fresh": about.fresh,
        "hold": about.hold and _hold(about.hold),
        "battery": _battery(about.battery),
        "charger": _charger(about.charger),
        "paused": seen.paused,
        "paused_until": paused_until if seen.paused else None,
        "stood_down_until": seen.stood_down_until,
        "outbox": {"waiting": about.outbox.waiting, "sent": about.outbox.sent, "failed": about.outbox.failed},
        "episodes": [_episode(row) for row in about.episodes],
        "next_release_at": about.next_release_at,
        "cheap_period": seen.cheap_now,
        "state_of_energy": about.level and _level(about.level),
        "refused_sign_ins": list(about.refused),
        "last_runs": {row.command: _run(row) for row in about.last_runs},
        "last_sign_at": about.sign_at,
        "needs": [_need(need) for need in needs],
    }


def _dispatch(row: ListedDispatch) -> dict[str, object]:
    return {
        "start": row.starts_at,
        "end": row.ends_at,
        "kind": row.kind,
        "device": row.device or None,
        "energy_kwh": row.energy_kwh,
        "live": row.live,
        "withdrawn_at": row.withdrawn_at,
    }


def _hold(held: OpenHold) -> dict[str, object]:
    return {
        "until": held.hold.until,
        "kind": held.hold.kind,
        "opened_at": held.opened_at,
        "because": held.because,
    }


def _battery(memory: BatteryMemory) -> dict[str, object]:
    return {
        "owned": memory.owned,
        "confirmed_mode": memory.confirmed_mode,
        "confirmed_reserve_pct": memory.confirmed_reserve_pct,
        "before_mode": memory.before and memory.before.mode,
        "before_reserve_pct": memory.before and memory.before.reserve_pct,
        "in_doubt": memory.in_doubt_since is not None,
    }


def _charger(row: ChargerRow | None) -> dict[str, object]:
    if row is None:
        return {"state": ChargerState.UNKNOWN, "watts": None, "at": None}
    return {"state": row.reading.state, "watts": row.reading.watts, "at": row.reading.at}


def _episode(row: Episode) -> dict[str, object]:
    return {
        "command": row.command,
        "kind": row.kind,
        "since": row.since,
        "count": row.count,
        "told_at": row.told_at,
    }


def _level(level: BatteryLevel) -> dict[str, object]:
    return {"pct": level.soe_pct, "at": level.at}


def _run(row: JournalRow) -> dict[str, object]:
    return {"at": row.at, "outcome": row.outcome}


def _need(need: Need) -> dict[str, object]:
    return {"says": need.says, "mend": need.mend, "since": need.since, "urgent": need.is_owners}
