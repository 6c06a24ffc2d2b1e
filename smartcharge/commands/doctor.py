"""`smartcharge doctor`: everything that can be wrong in a house, each with its mend; it changes nothing there."""

import json
from contextlib import closing
from pathlib import Path

import click

from smartcharge.cli_context import CliContext
from smartcharge.commands.options import OWNER_ONLY_MODE, export_file
from smartcharge.doctor.check import Check, CheckReporter, checks_exit_code, checks_json
from smartcharge.doctor.installation import configuration_error_check
from smartcharge.doctor.run_checks import run_checks
from smartcharge.errors import ConfigurationError
from smartcharge.store.repair import repair_database


@click.command("doctor")
@click.option("--offline", is_flag=True, help="Only what needs no network.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--bundle", metavar="FILE", help="Write down all that helps to find a fault, without secrets; offline.")
@click.option("--repair", is_flag=True, help="Set rows of the database that cannot be read aside into a copy; offline.")
@click.pass_obj
def doctor_command(session: CliContext, *, offline: bool, as_json: bool, bundle: str | None, repair: bool) -> int:
    """Check the set-up and tell you what needs fixing, and how."""
    if repair:
        return _repair_database(session)
    checks: list[Check] = []
    if bundle is not None:
        _write_bundle(session, Path(bundle), checks)
        return checks_exit_code(checks)

    def report_check(check: Check) -> None:
        checks.append(check)
        if not as_json:
            click.echo(check.line)

    _run_checks(session, report_check, offline=offline)
    if as_json:
        click.echo(json.dumps(checks_json(checks)))
    return checks_exit_code(checks)


def _repair_database(session: CliContext) -> int:
    with closing(session.open_app()) as app, app.exclusive_lock():
        result = repair_database(app.config.database_path, app.now)
    for row in result.removed:
        click.echo(f"Removed {row}")
    if result.copy is None:
        click.echo("Every row of the database can be read: nothing was changed.")
    else:
        click.echo(f"The database as it was before is kept in {result.copy}")
    return 0


def _run_checks(session: CliContext, report_check: CheckReporter, *, offline: bool) -> None:
    try:
        app = session.open_app(read_only=True)
    except ConfigurationError as refused:
        report_check(configuration_error_check(refused))
        return
    with closing(app):
        run_checks(app, report_check, offline=offline)


def _write_bundle(session: CliContext, file: Path, checks: list[Check]) -> None:
    from smartcharge.doctor.bundle import BUNDLE_FILE_PREFIX, build_minimal_bundle, build_support_bundle

    try:
        app = session.open_app(read_only=True)
    except ConfigurationError as refused:
        checks.append(configuration_error_check(refused))
        text = build_minimal_bundle(session.now, refused)
    else:
        with closing(app):
            text = build_support_bundle(app, checks)
    export_file(file, text, required_prefix=BUNDLE_FILE_PREFIX, mode=OWNER_ONLY_MODE)
    click.echo(f"Written to {file}; read it before you give it to anybody.")
