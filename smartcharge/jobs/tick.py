"""One minute: what is due is released, then the plan, the battery, the midnight reset and the invites."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial

from smartcharge.app import App, ping_watchdog
from smartcharge.console import run_guarded
from smartcharge.deadline import DeadlineExceeded, time_limit
from smartcharge.jobs.fetch import fetch_plan_if_due
from smartcharge.jobs.invites import run_send_invites
from smartcharge.jobs.midnight_reset import run_midnight_reset
from smartcharge.jobs.reconcile import release_if_due, run_reconcile
from smartcharge.store.services import load_open_alerts

TICK_PARTS: tuple[Callable[[App], None], ...] = (
    release_if_due,
    fetch_plan_if_due,
    run_reconcile,
    run_midnight_reset,
    run_send_invites,
)
WATCHDOG_LIMIT_SECONDS = 4.0


def run_tick(app: App) -> None:
    """Run every part: one that fails does not stop the others, and their exit codes are collected.

    A watchdog, where one is configured, hears of the beginning and of the end; of a bad one while trouble goes on
    that the owner was told of.
    """
    for part in (_ping_start, *TICK_PARTS, _ping_end):
        app.out.exit_codes.append(run_guarded(partial(part, app), app.out.warn_hourly))


def _ping_start(app: App) -> None:
    _ping_watchdog(app, "start")


def _ping_end(app: App) -> None:
    is_alerted = any(alert.notified_at for alert in load_open_alerts(app.read_only_db))
    _ping_watchdog(app, "fail" if is_alerted else "")


def _ping_watchdog(app: App, stage: str) -> None:
    """Call the watchdog's address; one that cannot be reached fails nothing."""
    url = app.config.alerts.healthchecks_url
    if url is None or app.dry_run:
        return
    app.prepare_network()
    is_reached = False
    with suppress(DeadlineExceeded), time_limit(WATCHDOG_LIMIT_SECONDS):
        is_reached = ping_watchdog(url.reveal(), stage)
    if not is_reached:
        app.out.detail("the watchdog could not be reached")
