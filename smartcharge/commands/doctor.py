"""`smartcharge doctor`: checks the set-up, and shows what needs fixing and how; it changes nothing in the house."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import click

from smartcharge.cli_context import CliContext
from smartcharge.commands.options import OWNER_ONLY_MODE, export_file
from smartcharge.commands.screen import print_rows
from smartcharge.console import is_interactive
from smartcharge.doctor.check import Check, CheckVerdict, ServiceAccount, checks_exit_code, checks_json
from smartcharge.doctor.installation import configuration_error_check
from smartcharge.doctor.run_checks import run_checks
from smartcharge.errors import ConfigurationError, fix_sentence, to_sentence
from smartcharge.formatting import EMPTY_ROW, TextRow, TextTone
from smartcharge.report.words import count_text
from smartcharge.store.repair import repair_database

REPORT_WIDTH = 80
PROGRESS_TEXT = "Checking your set-up. This can take a minute ..."
VERBOSE_HINT = "Run `smartcharge -v doctor` to see the checks that passed."
SUPPLIER_AREA = ServiceAccount.KRAKEN.area.name
AREA_LABELS = {"neighbours": "other installations", "runs": "cron", "plan": "charging schedule", "mail": "email"}
"""What the owner reads where the name of an area, which programs rely on, is not plain."""
VERDICT_LABELS = {
    CheckVerdict.ERROR: ("Problem", TextTone.ERROR),
    CheckVerdict.WARNING: ("Warning", TextTone.WARNING),
    CheckVerdict.OK: ("OK", TextTone.PLAIN),
}


@click.command("doctor")
@click.option("--offline", is_flag=True, help="Make only the checks that need no network.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--bundle", metavar="FILE", help="Write a report for whoever helps you, without secrets; offline.")
@click.option("--repair", is_flag=True, help="Move unreadable database rows into a copy; offline.")
@click.option("-v", "--verbose", "is_verbose", is_flag=True, help="Show the checks that passed, too.")
@click.pass_obj
def doctor_command(
    context: CliContext, *, offline: bool, as_json: bool, bundle: str | None, repair: bool, is_verbose: bool
) -> int:
    """Check the set-up and tell you what needs fixing, and how."""
    if repair:
        return _repair_database(context)
    checks: list[Check] = []
    if bundle is not None:
        _write_bundle(context, Path(bundle), checks)
        return checks_exit_code(checks)
    if is_interactive() and not as_json:
        click.echo(PROGRESS_TEXT, err=True)
    supplier = _run_checks(context, checks, offline=offline)
    if as_json:
        click.echo(json.dumps(checks_json(checks)))
    else:
        print_rows(doctor_rows(checks, supplier, show_passed=is_verbose or context.verbose), width=REPORT_WIDTH)
    return checks_exit_code(checks)


def _repair_database(context: CliContext) -> int:
    with closing(context.open_app()) as app, app.exclusive_lock():
        result = repair_database(app.config.database_path, app.now)
    for row in result.removed:
        click.echo(f"Removed {row}")
    if result.copy is None:
        click.echo("Every row of the database can be read. Nothing was changed.")
    else:
        click.echo(f"The database as it was before is kept in {result.copy}")
    return 0


def _run_checks(context: CliContext, checks: list[Check], *, offline: bool) -> str:
    """Run all checks and return the supplier's name, as far as it is known."""
    try:
        app = context.open_app(read_only=True)
    except ConfigurationError as refused:
        checks.append(configuration_error_check(refused))
        return "your supplier"
    with closing(app):
        run_checks(app, checks.append, offline=offline)
        return app.supplier_label


def doctor_rows(checks: Sequence[Check], supplier: str, *, show_passed: bool) -> Iterator[TextRow]:
    """Return a summary, then what failed with its fix, and then, if wanted, what passed."""
    by_verdict = {verdict: [check for check in checks if check.verdict is verdict] for verdict in VERDICT_LABELS}
    yield _summary_row({verdict: len(found) for verdict, found in by_verdict.items()})
    for verdict in (CheckVerdict.ERROR, CheckVerdict.WARNING):
        for check in by_verdict[verdict]:
            yield EMPTY_ROW
            yield from _check_rows(check, supplier)
    yield EMPTY_ROW
    if show_passed:
        for check in by_verdict[CheckVerdict.OK]:
            yield from _check_rows(check, supplier)
    elif by_verdict[CheckVerdict.OK]:
        yield TextRow("", VERBOSE_HINT, TextTone.DIM)


def _summary_row(counts: Mapping[CheckVerdict, int]) -> TextRow:
    problems, warnings, passed = (counts[verdict] for verdict in VERDICT_LABELS)
    parts = [
        f"{count_text(problems, 'problem')} to fix" if problems else "",
        count_text(warnings, "warning") if warnings else "",
        f"{count_text(passed, 'check')} passed",
    ]
    tone = TextTone.ERROR if problems else TextTone.WARNING if warnings else TextTone.HOLDING
    return TextRow("Summary", f"{', '.join(part for part in parts if part)}.", tone)


def _check_rows(check: Check, supplier: str) -> Iterator[TextRow]:
    label, tone = VERDICT_LABELS[check.verdict]
    area = supplier if check.area == SUPPLIER_AREA else AREA_LABELS.get(check.area, check.area)
    yield TextRow(label, f"{area}: {to_sentence(check.message)}", tone)
    if check.fix:
        yield TextRow("", fix_sentence(check.fix))


def _write_bundle(context: CliContext, file: Path, checks: list[Check]) -> None:
    from smartcharge.doctor.bundle import (  # only for this option
        BUNDLE_FILE_PREFIX,
        build_minimal_bundle,
        build_support_bundle,
    )

    try:
        app = context.open_app(read_only=True)
    except ConfigurationError as refused:
        checks.append(configuration_error_check(refused))
        text = build_minimal_bundle(context.now, refused)
    else:
        with closing(app):
            text = build_support_bundle(app, checks)
    export_file(file, text, required_prefix=BUNDLE_FILE_PREFIX, mode=OWNER_ONLY_MODE)
    click.echo(f"Written to {file}. Read it before you give it to anyone.")
