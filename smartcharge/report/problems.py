"""The problems that are known, each with its fix; those that only the owner can fix come first."""

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct

from smartcharge.alerts import LOCKOUT_KIND, SIGN_IN_SUFFIX
from smartcharge.doctor.check import ServiceAccount
from smartcharge.formatting import age_text
from smartcharge.report.snapshot import Snapshot
from smartcharge.store.services import Alert

NO_ACTION_FIX = "No action needed: smartcharge tries again by itself"
CRON_FIX = "Make sure that `crontab -l` of the right user shows the smartcharge line and that cron is running"
SIGN_IN_REFUSED_MESSAGES = {
    "kraken": "your supplier refuses the sign-in",
    "zappi": "myenergi refuses the serial number or the API key of the hub",
    "tesla": "Tesla refuses the sign-in",
    "mail": "the mail server refuses the sign-in",
}
TEMPORARY_PROBLEMS = {
    "kraken": ("your supplier does not send the charging schedule", NO_ACTION_FIX),
    "zappi": ("the Zappi cannot be read", NO_ACTION_FIX),
    "tesla": ("the Powerwall cannot be set", f"{NO_ACTION_FIX}. If it persists, check the Tesla app"),
    "mail": ("invites cannot be sent", NO_ACTION_FIX),
    LOCKOUT_KIND: (
        "something else controls the Powerwall",
        "No action needed: smartcharge continues when that is over",
    ),
}
"""Problems that may pass, by the kind of the alert."""
OWNER_PROBLEMS = {
    "device": (
        "the charging schedule cannot be fetched with this configuration",
        "Run `smartcharge doctor`, which shows what to change",
    ),
    "feed": ("the calendar file cannot be written", "Correct gcal.feed_path"),
    "clock": ("this computer's clock is not right", "Let the network set the clock: `sudo timedatectl set-ntp true`"),
}
"""Problems that last until the owner fixes them, by the kind of the alert."""


class Problem(Struct, frozen=True):
    """One problem.

    message: a clause, without secrets. fix: a sentence. since: when it was first noticed, None if that is not known.
    is_for_owner: only the owner can fix it.
    """

    message: str
    fix: str
    since: datetime | None = None
    is_for_owner: bool = True


def find_problems(snapshot: Snapshot) -> tuple[Problem, ...]:
    """Return all problems: first those that the owner must fix, then those that may pass."""
    found = (
        *_run_problems(snapshot),
        *_sign_in_problems(snapshot),
        *_setup_problems(snapshot),
        *_alert_problems(snapshot),
    )
    return tuple(sorted(found, key=lambda problem: not problem.is_for_owner))


def _run_problems(snapshot: Snapshot) -> Iterator[Problem]:
    if snapshot.missing_database:
        fix = "Run `smartcharge tick`, which makes it. If it has run before, check database.path"
        yield Problem(f"there is no database at {snapshot.missing_database}", fix)
    elif snapshot.last_activity_at is None:
        yield Problem("smartcharge has not run here yet", CRON_FIX)
    elif snapshot.is_silent:
        yield Problem(
            f"smartcharge has not run for {age_text(snapshot.state.now - snapshot.last_activity_at)}",
            CRON_FIX,
            snapshot.last_activity_at,
        )


def _sign_in_problems(snapshot: Snapshot) -> Iterator[Problem]:
    for service in snapshot.refused_services:
        yield Problem(
            SIGN_IN_REFUSED_MESSAGES[service],
            ServiceAccount[service.upper()].fix,
            snapshot.services[service].refused_at,
        )


def _setup_problems(snapshot: Snapshot) -> Iterator[Problem]:
    if snapshot.battery.rate_plan_missing:
        message = "Tesla refuses Time-Based Control, so the Powerwall's normal mode is Self-Powered for now"
        yield Problem(message, "Set your tariff in the Tesla app. smartcharge tries again at midnight")
    if snapshot.devices and not any(device.watched for device in snapshot.devices):
        message = "your supplier has no active car of yours, so it never schedules a slot"
        yield Problem(message, "Connect it in the supplier's app. `smartcharge doctor` shows more")
    if snapshot.outbox.failed:
        message = f"the mail server has refused {snapshot.outbox.failed} invites for good"
        yield Problem(
            message, "Run `smartcharge history`, which shows why. Often the address in gcal.invite_to is wrong"
        )


def _alert_problems(snapshot: Snapshot) -> Iterator[Problem]:
    for row in snapshot.alerts:
        service = row.kind.removesuffix(SIGN_IN_SUFFIX)
        if service == row.kind:
            yield _alert_problem(snapshot, row)
        elif service not in snapshot.refused_services:
            message = f"{SIGN_IN_REFUSED_MESSAGES.get(service, row.kind)}, or did before something was changed"
            yield Problem(message, NO_ACTION_FIX, row.since, is_for_owner=False)


def _alert_problem(snapshot: Snapshot, row: Alert) -> Problem:
    message, fix = {**TEMPORARY_PROBLEMS, **OWNER_PROBLEMS}.get(
        row.kind, (f"`smartcharge {row.command}` has a problem with {row.kind}", NO_ACTION_FIX)
    )
    service = snapshot.services.get("kraken" if row.kind == "device" else row.kind)
    why = (service.last_error if service else snapshot.alert_messages.get((row.command, row.kind))) or ""
    if why and row.kind == LOCKOUT_KIND:
        return Problem(why, fix, row.since, is_for_owner=False)
    times = f" ({row.count} attempts)" if row.count > 1 else ""
    told = f"{message}{times}{f': {why}' if why else ''}".rstrip(".")
    return Problem(told, fix, row.since, is_for_owner=row.kind in OWNER_PROBLEMS)
