"""`smartcharge agreement`: how often another controller did what smartcharge would have done, from shadow mode."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime

import click
from msgspec import Struct

from smartcharge.cli_context import CliContext
from smartcharge.commands.options import at_option, parse_time
from smartcharge.formatting import local_date_time
from smartcharge.jobs.shadow import SHADOW_COMMAND
from smartcharge.store.events import Event
from smartcharge.store.journal import JournalRow, load_journal


class ShadowAgreement(Struct, frozen=True):
    """The comparisons with another controller, oldest first, by whether a hold was wanted then."""

    held: tuple[JournalRow, ...]
    resting: tuple[JournalRow, ...]

    @property
    def differing(self) -> list[JournalRow]:
        """Give those in which the Powerwall did something else."""
        rows = sorted((*self.held, *self.resting), key=lambda row: row.id)
        return [row for row in rows if row.outcome is not Event.AGREES]


def load_shadow_agreement(db: sqlite3.Connection, since: datetime | None, until: datetime) -> ShadowAgreement:
    """Load the comparisons of a stretch of time; since: None for all that are stored."""
    stored = load_journal(db, since=since, until=until, command=SHADOW_COMMAND)
    rows = [row for row in stored if row.outcome in {Event.AGREES, Event.DIFFERS}]
    held = tuple(row for row in rows if row.reason is not None)
    return ShadowAgreement(held, tuple(row for row in rows if row.reason is None))


def shadow_agreement_json(agreement: ShadowAgreement) -> dict[str, object]:
    """Give the object of `agreement --json`; times in UTC."""
    return {
        "held": _agreement_counts(agreement.held),
        "at_rest": _agreement_counts(agreement.resting),
        "differing": [{"at": f"{row.at:%Y-%m-%dT%H:%M:%SZ}", "detail": row.detail.text} for row in agreement.differing],
    }


def shadow_agreement_lines(agreement: ShadowAgreement, now: datetime, zone: str) -> Iterator[str]:
    """Give the counts, and every comparison in which the Powerwall did something else."""
    if not (checked := len(agreement.held) + len(agreement.resting)):
        yield "The Powerwall has not been checked yet."
        yield "To fix: set control.shadow to true and let cron run smartcharge beside the other controller."
        return
    yield f"The Powerwall was checked {checked} times."
    yield f"  charging, as wanted  {_agreed_text(agreement.held)}"
    yield f"  normal, as wanted    {_agreed_text(agreement.resting)}"
    for row in agreement.differing:
        yield f"{local_date_time(row.at, now, zone)}  {row.detail.text}"


def _agreed_text(rows: Sequence[JournalRow]) -> str:
    counts = _agreement_counts(rows)
    return f"{counts['agreed']} of {counts['looks']}"


def _agreement_counts(rows: Sequence[JournalRow]) -> dict[str, int]:
    return {"looks": len(rows), "agreed": sum(row.outcome is Event.AGREES for row in rows)}


@click.command("agreement")
@click.option("--since", metavar="TIME", help="From this time on; everything unless given.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@at_option
@click.pass_obj
def agreement_command(session: CliContext, *, since: str | None, as_json: bool, at: str | None) -> None:
    """Compare with another controller."""
    with closing(session.open_app(read_only=True)) as app:
        now = app.now = parse_time(at, app) if at else app.now
        since_at = parse_time(since, app, past=True) if since else None
        found = load_shadow_agreement(app.read_only_db, since_at, now)
        if as_json:
            click.echo(json.dumps(shadow_agreement_json(found)))
        else:
            for line in shadow_agreement_lines(found, now, app.policy.cheap_period.zone):
                click.echo(line)
