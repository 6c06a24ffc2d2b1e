"""`smartcharge history`: the journal and the dispatches, for people, programs and spreadsheets."""

import csv
import io
import json
import shutil
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import click

from smartcharge.app import App
from smartcharge.cli_context import CliContext
from smartcharge.commands.options import at_option, parse_time
from smartcharge.formatting import local_date_time, local_span, local_time, wrap_row
from smartcharge.report.event_text import event_detail, event_sentence
from smartcharge.report.snapshot import SCHEDULED_COMMANDS
from smartcharge.store.dispatches import DispatchRow, load_dispatch_history
from smartcharge.store.journal import JournalRow, load_journal
from smartcharge.store.times import format_instant, format_optional_instant

HISTORY_COLUMNS = ("at", "kind", "what", "because", "outcome", "start", "end", "energy_kwh", "detail", "error")
DISPATCHES_COMMAND = "fetch-dispatches"
"""Whose harvest the dispatches are."""

HistoryEntry = JournalRow | DispatchRow


def load_history(app: App, since: datetime, until: datetime, commands: Collection[str] = ()) -> list[HistoryEntry]:
    """Journal entries of these commands (none named: of all) and dispatches in [since, until), by time."""
    recorded = load_journal(app.read_only_db, since=since, until=until)
    wanted: list[HistoryEntry] = [row for row in recorded if not commands or row.command in commands]
    if not commands or DISPATCHES_COMMAND in commands:
        wanted += load_dispatch_history(app.read_only_db, since, until, app.now)
    return sorted(wanted, key=_entry_time)


def history_row(recorded: HistoryEntry, zone: str) -> dict[str, object]:
    """The columns of one entry; unknown is None."""
    known = _journal_columns(recorded, zone) if isinstance(recorded, JournalRow) else _dispatch_columns(recorded)
    return {column: known.get(column) for column in HISTORY_COLUMNS}


def history_line(recorded: HistoryEntry, now: datetime, zone: str) -> tuple[str, str]:
    """When it was, and what, in plain words and local time."""
    at = _entry_time(recorded).astimezone(ZoneInfo(zone))
    year = f" {at.year}" if at.year != now.astimezone(ZoneInfo(zone)).year else ""
    head = f"{at:%a %d %b}{year} {local_time(at, zone)}  "
    return head, f"{recorded.command}: {event_sentence(recorded, zone)}" if isinstance(
        recorded, JournalRow
    ) else _dispatch_text(recorded, zone)


def _entry_time(recorded: HistoryEntry) -> datetime:
    return recorded.at if isinstance(recorded, JournalRow) else recorded.first_seen_at


def _dispatch_text(row: DispatchRow, zone: str) -> str:
    about = f", about {row.energy_kwh:.1f} kWh" if row.energy_kwh else ""
    status = ", replaced by another" if row.superseded_by else ", withdrawn" if row.withdrawn_at else ""
    return f"{row.kind} slot {local_span(row.starts_at, row.ends_at, zone)}{about}{status}"


def _journal_columns(row: JournalRow, zone: str) -> dict[str, object]:
    return {
        "at": format_instant(row.at),
        "kind": "journal",
        "what": row.command,
        "because": row.reason,
        "outcome": row.outcome,
        "detail": event_detail(row, zone),
        "error": row.error,
    }


def _dispatch_columns(row: DispatchRow) -> dict[str, object]:
    return {
        "at": format_instant(row.first_seen_at),
        "kind": "dispatch",
        "what": row.kind,
        "outcome": "superseded" if row.superseded_by else "withdrawn" if row.withdrawn_at else None,
        "start": format_instant(row.starts_at),
        "end": format_instant(row.ends_at),
        "energy_kwh": row.energy_kwh,
        "detail": format_optional_instant(row.withdrawn_at),
    }


DEFAULT_HISTORY_LENGTH = timedelta(days=1)
MAX_ENTRY_LINES = 4
"""Of one entry on a terminal; --json and --csv tell it whole."""


@click.command("history")
@click.option("--since", metavar="TIME", help="From this time on (22:00 means the last 22:00); default: one day back.")
@click.option("--until", metavar="TIME", help="Up to this time; default: now.")
@click.option(
    "--command",
    "commands",
    type=click.Choice(SCHEDULED_COMMANDS),
    multiple=True,
    help="Only this command; may be repeated.",
)
@click.option("--json", "for_programs", is_flag=True, help="Print one JSON array.")
@click.option("--csv", "for_spreadsheets", is_flag=True, help="Print comma-separated values with a header.")
@at_option
@click.pass_obj
def history_command(  # one for each option
    session: CliContext,
    *,
    since: str | None,
    until: str | None,
    commands: tuple[str, ...],
    for_programs: bool,
    for_spreadsheets: bool,
    at: str | None,
) -> int:
    """Show what happened: the journal and the slots."""
    if for_programs and for_spreadsheets:
        raise click.UsageError("Give either --json or --csv, not both")
    with closing(session.open_app(read_only=True)) as app:
        app.now = parse_time(at, app) if at else app.now
        start, end = _parse_span(app, since, until)
        found, zone = load_history(app, start, end, commands), app.policy.cheap_period.zone
        if for_programs:
            click.echo(json.dumps([history_row(each, zone) for each in found], ensure_ascii=False))
        elif for_spreadsheets:
            click.echo(_format_csv(found, zone), nl=False)
        elif found:
            click.echo("\n".join(_format_entries(found, app)))
        else:
            click.echo(_no_entries_text(app, start, end, commands))
    return 0


def _parse_span(app: App, since: str | None, until: str | None) -> tuple[datetime, datetime]:
    end = parse_time(until, app, past=True) if until else app.now
    start = parse_time(since, app, past=True) if since else end - DEFAULT_HISTORY_LENGTH
    if start >= end:
        first, last = (local_date_time(moment, app.now, app.policy.cheap_period.zone) for moment in (start, end))
        raise click.UsageError(f"--since must be before --until, but {first} is not before {last}")
    return start, end


def _format_csv(found: Sequence[HistoryEntry], zone: str) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, HISTORY_COLUMNS)
    writer.writeheader()
    writer.writerows(history_row(each, zone) for each in found)
    return text.getvalue()


def _format_entries(found: Sequence[HistoryEntry], app: App) -> Iterator[str]:
    """On a terminal folded to its width; else one line for each entry."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for each in found:
        yield from wrap_row(
            *history_line(each, app.now, app.policy.cheap_period.zone), width, max_lines=MAX_ENTRY_LINES
        )


def _no_entries_text(app: App, since: datetime, until: datetime, commands: Sequence[str]) -> str:
    first, last = (local_date_time(moment, app.now, app.policy.cheap_period.zone) for moment in (since, until))
    whose = f" by {' or '.join(commands)}" if commands else ""
    return f"Nothing was recorded{whose} from {first} to {last}. Use --since to look further back."
