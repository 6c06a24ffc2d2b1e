"""`smartcharge history`: the journal and the dispatches, for people, programs and spreadsheets."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import click

from smartcharge.act.words import clock, span
from smartcharge.commands import _options
from smartcharge.session import Session
from smartcharge.store import dispatches, journal
from smartcharge.store.dispatches import ListedDispatch
from smartcharge.store.journal import JournalRow
from smartcharge.store.times import to_text, to_text_or_none
from smartcharge.toolbox import Toolbox

COLUMNS = ("at", "kind", "what", "because", "outcome", "start", "end", "energy_kwh", "detail", "error")
A_DAY = timedelta(days=1)


@click.command("history")
@click.option("--since", metavar="TIME", help="From this time on; a day ago unless given.")
@click.option("--until", metavar="TIME", help="Up to this time; now unless given.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated, with a heading.")
@_options.at
@click.pass_obj
def command(
    session: Session, *, since: str | None, until: str | None, as_json: bool, as_csv: bool, at: str | None
) -> int:
    """Show the journal and the dispatches."""
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    with closing(session.toolbox(looking=True)) as tools:
        tools.now = _options.moment(at, tools) if at else tools.now
        end = _options.moment(until, tools) if until else tools.now
        start = _options.moment(since, tools) if since else end - A_DAY
        if start >= end:
            raise click.UsageError("--since must lie before --until")
        rows = gather(tools, start, end)
        if as_json:
            click.echo(json.dumps(rows, ensure_ascii=False))
        elif as_csv:
            click.echo(_csv(rows), nl=False)
        else:
            for line in _lines(rows, tools.policy.cheap_period.zone):
                click.echo(line)
    return 0


def gather(tools: Toolbox, since: datetime, until: datetime) -> list[dict[str, object]]:
    """Journal rows and dispatches in [since, until), by time; the columns are `COLUMNS`, unknown is None."""
    noted = [_journal_row(row) for row in journal.rows(tools.peek, since=since, until=until)]
    planned = [_dispatch_row(row) for row in dispatches.history(tools.peek, since, until, tools.now)]
    return sorted([*noted, *planned], key=lambda row: str(row["at"]))


def _journal_row(row: JournalRow) -> dict[str, object]:
    known = {
        "at": to_text(row.at),
        "kind": "journal",
        "what": row.command,
        "because": row.because,
        "outcome": row.outcome,
        "detail": row.detail,
        "error": row.error,
    }
    return {column: known.get(column) for column in COLUMNS}


def _dispatch_row(row: ListedDispatch) -> dict[str, object]:
    fate = "superseded" if row.superseded_by else "withdrawn" if row.withdrawn_at else None
    known = {
        "at": to_text(row.first_seen_at),
        "kind": "dispatch",
        "what": row.kind,
        "outcome": fate,
        "start": to_text(row.starts_at),
        "end": to_text(row.ends_at),
        "energy_kwh": row.energy_kwh,
        "detail": to_text_or_none(row.withdrawn_at),
    }
    return {column: known.get(column) for column in COLUMNS}


def _csv(rows: Sequence[dict[str, object]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _lines(rows: Sequence[dict[str, object]], zone: str) -> Iterator[str]:
    for row in rows:
        at = datetime.fromisoformat(str(row["at"]))
        head = f"{at.astimezone(ZoneInfo(zone)):%a %d %b} {clock(at, zone)}"
        if row["kind"] == "dispatch":
            start, end = (datetime.fromisoformat(str(row[key])) for key in ("start", "end"))
            yield f"{head}  {row['what']} window {span(start, end, zone)} {row['outcome'] or ''}".rstrip()
        else:
            words = (row["because"], row["outcome"], row["detail"], row["error"])
            yield f"{head}  {row['what']}: {', '.join(str(word) for word in words if word)}"
