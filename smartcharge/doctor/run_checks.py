"""Run all checks of the doctor; nothing in the house is changed."""

from collections.abc import Callable, Iterator
from functools import partial

from msgspec import Struct

from smartcharge import deadline
from smartcharge.app import App
from smartcharge.console import EXIT_UNEXPECTED_ERROR, run_guarded
from smartcharge.deadline import COMMAND_LIMIT_SECONDS, DeadlineExceeded, time_limit
from smartcharge.doctor.check import Check, CheckArea, CheckReporter
from smartcharge.doctor.host import (
    CLOCK_AREA,
    DATABASE_AREA,
    ENVIRONMENT_AREA,
    FILES_AREA,
    LOCKS_AREA,
    check_clock,
    check_database,
    check_environment,
    check_files,
    check_locks,
    replace_unreadable_database,
)
from smartcharge.doctor.installation import (
    CONFIGURATION_AREA,
    INSTALLATIONS_AREA,
    PLAN_AREA,
    RUNS_AREA,
    check_configuration,
    check_other_installations,
    check_plan,
    check_runs,
)
from smartcharge.doctor.redact import redact_checks
from smartcharge.doctor.services import (
    KRAKEN_AREA,
    MAIL_AREA,
    TESLA_AREA,
    ZAPPI_AREA,
    check_kraken_offline,
    check_kraken_online,
    check_mail_offline,
    check_mail_online,
    check_tesla_offline,
    check_tesla_online,
    check_zappi_offline,
    check_zappi_online,
)
from smartcharge.errors import AppError, SignInRefusedError

DOCTOR_AREA = CheckArea("doctor")
LOCAL_CHECK_LIMIT_SECONDS = 4.0
RETRY_FIX = "Try again. If it persists, check your network first"


class CheckGroup(Struct, frozen=True):
    """The checks of one area. seconds: their time limit; online: they ask a service; needs_database: they read it."""

    area: CheckArea
    run: Callable[[App], Iterator[Check]]
    seconds: float = LOCAL_CHECK_LIMIT_SECONDS
    online: bool = False
    needs_database: bool = False


CHECK_GROUPS = (
    CheckGroup(CONFIGURATION_AREA, check_configuration),
    CheckGroup(ENVIRONMENT_AREA, check_environment),
    CheckGroup(FILES_AREA, check_files),
    CheckGroup(CLOCK_AREA, check_clock),
    CheckGroup(LOCKS_AREA, check_locks),
    CheckGroup(DATABASE_AREA, check_database, needs_database=True),
    CheckGroup(INSTALLATIONS_AREA, check_other_installations, needs_database=True),
    CheckGroup(RUNS_AREA, check_runs, needs_database=True),
    CheckGroup(PLAN_AREA, check_plan, needs_database=True),
    CheckGroup(KRAKEN_AREA, check_kraken_offline),
    CheckGroup(KRAKEN_AREA, check_kraken_online, seconds=13.0, online=True),
    CheckGroup(ZAPPI_AREA, check_zappi_offline),
    CheckGroup(ZAPPI_AREA, check_zappi_online, seconds=8.0, online=True),
    CheckGroup(TESLA_AREA, check_tesla_offline),
    CheckGroup(TESLA_AREA, check_tesla_online, seconds=17.0, online=True),
    CheckGroup(MAIL_AREA, check_mail_offline),
    CheckGroup(MAIL_AREA, check_mail_online, seconds=deadline.MAIL_LIMIT_SECONDS, online=True),
)
"""The time limits of the online checks add up to less than a command's time, so that every check runs."""


def run_checks(app: App, report_check: CheckReporter, *, offline: bool) -> None:
    """Report each check as soon as it is made. app: read-only."""
    report_redacted = redact_checks(app.config, report_check)
    try:
        with time_limit(COMMAND_LIMIT_SECONDS):
            _run_all_groups(app, report_redacted, offline=offline)
    except DeadlineExceeded:
        report_redacted(DOCTOR_AREA.warning("time", "there was no time left for the other checks", RETRY_FIX))


def _run_all_groups(app: App, report_check: CheckReporter, *, offline: bool) -> None:
    refusal = replace_unreadable_database(app)
    if refusal:
        report_check(DATABASE_AREA.app_error("opens", refusal))
    for group in CHECK_GROUPS:
        if not (offline and group.online) and not (refusal and group.needs_database):
            _run_group(group, app, report_check)


def _run_group(group: CheckGroup, app: App, report_check: CheckReporter) -> None:
    try:
        with time_limit(group.seconds):
            code = run_guarded(partial(_report_group_checks, group, app, report_check))
    except DeadlineExceeded:
        report_check(group.area.warning("time", f"no answer within {group.seconds:.0f} s", RETRY_FIX))
        return
    if code:
        message = "this check failed because of a bug in smartcharge: see the error above"
        report_check(
            group.area.error("doctor", message, "Please report it, with the error above", EXIT_UNEXPECTED_ERROR)
        )


def _report_group_checks(group: CheckGroup, app: App, report_check: CheckReporter) -> None:
    try:
        for check in group.run(app):
            report_check(check)
    except AppError as app_error:
        check_name = "sign-in" if isinstance(app_error, SignInRefusedError) else "answers" if group.online else "looks"
        report_check(group.area.app_error(check_name, app_error))
    except OSError as error:
        fix = "Make sure that this user may read and write there"
        report_check(group.area.error("looks", f"{error.filename or 'something'}: {error.strerror}", fix))
