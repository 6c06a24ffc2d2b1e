"""The overview as one object for programs: the promised keys of `status --json`, and what has joined them since."""

from collections.abc import Sequence

from smartcharge.policy.battery import BatteryMemory
from smartcharge.policy.model import BatteryLevel, ChargerState
from smartcharge.report.problems import Problem
from smartcharge.report.snapshot import Snapshot
from smartcharge.store.control import HoldRow
from smartcharge.store.dispatches import DispatchRow
from smartcharge.store.journal import JournalRow
from smartcharge.store.readings import ChargerRow
from smartcharge.store.services import Alert


def status_json(snapshot: Snapshot, problems: Sequence[Problem]) -> dict[str, object]:
    """The object; instants are left to the encoder, unknown is None."""
    state, paused_until = snapshot.state, snapshot.state.pause and snapshot.state.pause.until
    return {
        "now": state.now,
        "dispatches": [_dispatch_json(row) for row in snapshot.dispatches],
        "fetched_at": snapshot.fetched_at,
        "fresh": snapshot.is_plan_fresh,
        "hold": snapshot.hold and _hold_json(snapshot.hold),
        "battery": _battery_json(snapshot.battery),
        "charger": _charger_json(snapshot.charger),
        "paused": state.is_paused,
        "paused_until": paused_until if state.is_paused else None,
        "stood_down_until": state.manual_override_until,
        "outbox": {"waiting": snapshot.outbox.waiting, "sent": snapshot.outbox.sent, "failed": snapshot.outbox.failed},
        "episodes": [_alert_json(row) for row in snapshot.alerts],
        "next_release_at": snapshot.next_release_at,
        "cheap_period": state.is_cheap_now,
        "state_of_energy": snapshot.level and _battery_level_json(snapshot.level),
        "refused_sign_ins": list(snapshot.refused_services),
        "last_runs": {row.command: _last_run_json(row) for row in snapshot.last_runs},
        "last_sign_at": snapshot.last_activity_at,
        "needs": [_problem_json(problem) for problem in problems],
    }


def _dispatch_json(row: DispatchRow) -> dict[str, object]:
    return {
        "start": row.starts_at,
        "end": row.ends_at,
        "kind": row.kind,
        "device": row.device or None,
        "energy_kwh": row.energy_kwh,
        "live": row.live,
        "withdrawn_at": row.withdrawn_at,
    }


def _hold_json(held: HoldRow) -> dict[str, object]:
    return {
        "until": held.hold.until,
        "kind": held.hold.kind,
        "opened_at": held.opened_at,
        "because": held.reason,
    }


def _battery_json(memory: BatteryMemory) -> dict[str, object]:
    return {
        "owned": memory.owned,
        "confirmed_mode": memory.confirmed_mode,
        "confirmed_reserve_pct": memory.confirmed_reserve_pct,
        "before_mode": memory.settings_before and memory.settings_before.mode,
        "before_reserve_pct": memory.settings_before and memory.settings_before.reserve_pct,
        "in_doubt": memory.in_doubt_since is not None,
    }


def _charger_json(row: ChargerRow | None) -> dict[str, object]:
    if row is None:
        return {"state": ChargerState.UNKNOWN, "watts": None, "at": None}
    return {"state": row.reading.state, "watts": row.reading.watts, "at": row.reading.at}


def _alert_json(row: Alert) -> dict[str, object]:
    return {
        "command": row.command,
        "kind": row.kind,
        "since": row.since,
        "count": row.count,
        "told_at": row.notified_at,
    }


def _battery_level_json(level: BatteryLevel) -> dict[str, object]:
    return {"pct": level.soe_pct, "at": level.at}


def _last_run_json(row: JournalRow) -> dict[str, object]:
    return {"at": row.at, "outcome": row.outcome}


def _problem_json(problem: Problem) -> dict[str, object]:
    return {"says": problem.message, "mend": problem.fix, "since": problem.since, "urgent": problem.is_for_owner}
