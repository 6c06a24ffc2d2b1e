"""One minute: what is due is released, then the plan, the stance, the midnight reset and the invites."""

from collections.abc import Callable
from functools import partial

from smartcharge.alerts import ping_tick_end, ping_tick_start
from smartcharge.app import App
from smartcharge.console import run_guarded
from smartcharge.jobs.fetch import fetch_plan_if_due
from smartcharge.jobs.invites import run_send_invites
from smartcharge.jobs.midnight_reset import run_midnight_reset
from smartcharge.jobs.reconcile import release_if_due, run_reconcile

TICK_PARTS: tuple[Callable[[App], None], ...] = (
    release_if_due,
    fetch_plan_if_due,
    run_reconcile,
    run_midnight_reset,
    run_send_invites,
)


def run_tick(app: App) -> None:
    """One failing part does not stop the others; their exit codes are collected."""
    ping_tick_start(app)
    for part in TICK_PARTS:
        app.exit_codes.append(run_guarded(partial(part, app), app.warn_hourly))
    ping_tick_end(app)
