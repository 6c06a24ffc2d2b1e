"""What is wrong, in plain words: since when, and what mends it; the owner's own business first."""

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct

from smartcharge.alerts import LOCKOUT_KIND, SIGN_IN_SUFFIX
from smartcharge.doctor.check import ServiceAccount
from smartcharge.formatting import age_text
from smartcharge.report.snapshot import Snapshot
from smartcharge.store.services import Alert

NO_ACTION_FIX = "Nothing to do: it is tried again by itself"
CRON_FIX = "See that `crontab -l` of the right user holds the smartcharge line, and that cron itself runs"
SIGN_IN_REFUSED_MESSAGES = {
    "kraken": "Kraken refuses the sign-in",
    "zappi": "myenergi refuses the hub's serial or key",
    "tesla": "Tesla refuses the sign-in",
    "mail": "the mail server refuses the sign-in",
}
TEMPORARY_PROBLEMS = {
    "kraken": ("Kraken does not give the plan", NO_ACTION_FIX),
    "zappi": ("the Zappi cannot be asked", NO_ACTION_FIX),
    "tesla": ("the Powerwall cannot be set", f"{NO_ACTION_FIX}; if it lasts, look in the Tesla app"),
    "mail": ("invites cannot be posted", NO_ACTION_FIX),
    LOCKOUT_KIND: ("an outside power has the battery", "Nothing to do: smartcharge goes on when it is over"),
}
"""Trouble that may pass, by the kind of its episode."""
OWNER_PROBLEMS = {
    "device": ("the plan cannot be asked for as it is configured", "`smartcharge doctor` tells what would be right"),
    "feed": ("the calendar file cannot be written", "Mend gcal.feed_path"),
    "clock": ("this machine's clock cannot be right", "Let the network set it: `sudo timedatectl set-ntp true`"),
}
"""Trouble that stays until the owner mends it, by the kind of its episode."""


class Problem(Struct, frozen=True):
    """One thing that is wrong.

    says: a clause, without secrets. mend: a sentence. since: when it was first noticed, None where that is not known.
    is_owners: nobody but the owner can mend it.
    """

    message: str
    fix: str
    since: datetime | None = None
    is_for_owner: bool = True


def find_problems(snapshot: Snapshot) -> tuple[Problem, ...]:
    """Everything that is wrong, what the owner must mend before what may pass."""
    found = (
        *_run_problems(snapshot),
        *_sign_in_problems(snapshot),
        *_setup_problems(snapshot),
        *_alert_problems(snapshot),
    )
    return tuple(sorted(found, key=lambda problem: not problem.is_for_owner))


def _run_problems(snapshot: Snapshot) -> Iterator[Problem]:
    if snapshot.missing_database:
        fix = "The first `smartcharge tick` makes it; if one has run before, see database.path"
        yield Problem(f"there is no database at {snapshot.missing_database}", fix)
    elif snapshot.last_activity_at is None:
        yield Problem("nothing has run here yet", CRON_FIX)
    elif snapshot.is_silent:
        yield Problem(
            f"nothing has run for {age_text(snapshot.state.now - snapshot.last_activity_at)}",
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
        message = "Tesla refuses time-based control, so the Powerwall rests in self-powered mode"
        yield Problem(message, "Set your tariff in the Tesla app; it is tried again at midnight")
    if snapshot.devices and not any(device.watched for device in snapshot.devices):
        message = "the supplier knows no live car of yours, so nothing is ever planned"
        yield Problem(message, "Connect it in the supplier's app; `smartcharge doctor` tells more")
    if snapshot.outbox.failed:
        message = f"invites that the mail server will never take: {snapshot.outbox.failed}"
        yield Problem(message, "`smartcharge history` tells why; often it is the address in gcal.invite_to")


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
        row.kind, (f"`smartcharge {row.command}` has trouble with {row.kind}", NO_ACTION_FIX)
    )
    service = snapshot.services.get("kraken" if row.kind == "device" else row.kind)
    why = (service.last_error if service else snapshot.alert_messages.get((row.command, row.kind))) or ""
    if why and row.kind == LOCKOUT_KIND:
        return Problem(why, fix, row.since, is_for_owner=False)
    times = f" ({row.count} attempts)" if row.count > 1 else ""
    told = f"{message}{times}{f': {why}' if why else ''}".rstrip(".")
    return Problem(told, fix, row.since, is_for_owner=row.kind in OWNER_PROBLEMS)
