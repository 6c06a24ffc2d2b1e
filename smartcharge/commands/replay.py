"""`smartcharge replay`: re-runs the decisions of a past day, optionally with different settings."""

import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import click
from msgspec import Struct, structs
from msgspec.structs import replace

from smartcharge.app import App
from smartcharge.cli_context import CliContext
from smartcharge.commands.options import at_option, parse_day, parse_time
from smartcharge.config.settings import SETTINGS, closest_name
from smartcharge.formatting import EMPTY_ROW, LABEL_WIDTH, TextRow, local_time, wrap_row
from smartcharge.policy.decide import decide
from smartcharge.policy.ledger import SavingsDifference, local_days_span, savings_difference
from smartcharge.policy.model import Decision, HoldKind, Policy
from smartcharge.policy.polling import MINUTE
from smartcharge.policy.replay import (
    HoldDifference,
    PolicyChange,
    ReplayedMinute,
    hold_differences,
    recorded_holds,
    replay_decisions,
)
from smartcharge.policy.slots import Span, local_day
from smartcharge.report.journal_reader import load_replay_data
from smartcharge.report.load import configured_rates, load_half_hours
from smartcharge.store.control import load_hold_history
from smartcharge.store.journal import JournalRow, load_journal


class RepeatedDecision(Struct, frozen=True):
    """A row of the journal, and what is decided today from what it knew."""

    row: JournalRow
    decision: Decision

    @property
    def is_unchanged(self) -> bool:
        """Whether it is the same."""
        return self.decision.reason is self.row.reason


class PolicyComparison(Struct, frozen=True):
    """The same day with other numbers: where it would have been held and was not, or the other way round.

    guessed: for how long the car would have mattered, and the record is silent; there it counts as not charging.
    worth: what that comes to, None where no prices or no energies are known.
    """

    differences: tuple[HoldDifference, ...]
    held_before: timedelta
    held: timedelta
    guessed: timedelta
    savings: SavingsDifference | None


class ReplayedDay(Struct, frozen=True):
    """A local day, decided again.

    noted: whether the journal has anything of it. held: for how long a hold was promised. confirmed: for how long the
    Powerwall showed it. gaps: where deciding minute
    by minute does not come out as it was: the record cannot tell what happened there.
    """

    day: date
    zone: str
    has_journal_rows: bool
    decisions: tuple[RepeatedDecision, ...]
    held: timedelta
    confirmed: timedelta
    mismatches: tuple[HoldDifference, ...]
    comparison: PolicyComparison | None = None


def replay_day(app: App, day: date, amend: PolicyChange | None = None) -> ReplayedDay:
    """Decide a day again, up to the last full minute; with `amend` also under another policy."""
    zone = app.policy.cheap_period.zone
    whole = local_days_span(day, day, zone)
    span = Span(whole.starts_at, max(whole.starts_at, min(whole.ends_at, app.now.replace(second=0, microsecond=0))))
    rows = load_journal(app.read_only_db, since=span.starts_at, until=span.ends_at)
    replay_data = load_replay_data(app, span)
    recorded, replayed = list(recorded_holds(replay_data, span)), list(replay_decisions(replay_data, span))
    return ReplayedDay(
        day=day,
        zone=zone,
        has_journal_rows=bool(rows),
        decisions=tuple(RepeatedDecision(row, decide(state)) for row in rows if (state := row.state) is not None),
        held=_held_duration(recorded),
        confirmed=_confirmed_duration(app, span),
        mismatches=tuple(
            each for each in hold_differences(recorded, replayed) if each.span.ends_at - each.span.starts_at > MINUTE
        ),
        comparison=_compare_policy(app, span, replayed, list(replay_decisions(replay_data, span, amend)))
        if amend
        else None,
    )


def _compare_policy(
    app: App, span: Span, was: Sequence[ReplayedMinute], now: Sequence[ReplayedMinute]
) -> PolicyComparison:
    rates = configured_rates(app)
    return PolicyComparison(
        differences=hold_differences(was, now),
        held_before=_held_duration(was),
        held=_held_duration(now),
        guessed=MINUTE * sum(tick.guessed and not before.guessed for before, tick in zip(was, now, strict=True)),
        savings=savings_difference(load_half_hours(app, span), was, now, rates) if rates else None,
    )


def _confirmed_duration(app: App, span: Span) -> timedelta:
    """How long the Powerwall is known to have held, from the first read-back of each hold."""
    holds = load_hold_history(app.read_only_db, span.starts_at, span.ends_at)
    parts = (
        (max(hold.confirmed_at, span.starts_at), min(hold.closed_at or app.now, span.ends_at))
        for hold in holds
        if hold.confirmed_at
    )
    return sum((end - start for start, end in parts if start < end), timedelta(0))


def _held_duration(ticks: Sequence[ReplayedMinute]) -> timedelta:
    return MINUTE * sum(tick.hold is not None for tick in ticks)


BETWEEN_READINGS_NOTE = "Between two readings of one charge the car counts as charging."


def replay_lines(replayed: ReplayedDay, setting: str, width: int | None) -> Iterator[str]:
    """The day, and what would have differed with a setting such as "control.extension=false" ("" for none)."""
    for row in _replay_rows(replayed, setting):
        yield from wrap_row(f"{row.label:<{LABEL_WIDTH}} " if row.label else "", row.text, width)


def _replay_rows(replayed: ReplayedDay, setting: str) -> Iterator[TextRow]:
    name = f"{replayed.day:%a %d %b %Y}"
    if not replayed.has_journal_rows:
        yield TextRow("", f"The journal has no entries for {name}. Nothing ran then, or the entries have been deleted.")
        return
    if not replayed.decisions:
        yield TextRow("", f"{name}: no decision changed, so the Powerwall was not charged from the grid.")
    else:
        yield from _decision_rows(replayed, name)
    if replayed.comparison is not None:
        yield EMPTY_ROW
        yield from _comparison_rows(replayed, replayed.comparison, setting)


def _decision_rows(replayed: ReplayedDay, name: str) -> Iterator[TextRow]:
    """The decisions with what is decided today, and whether the minutes between them come out as they were."""
    changed = sum(not each.is_unchanged for each in replayed.decisions)
    verdict = f"{changed} different: smartcharge has changed since" if changed else "all the same as then"
    yield TextRow("", f"{name}, re-run: {_count_text(len(replayed.decisions), 'decision')}, {verdict}")
    for each in replayed.decisions:
        yield TextRow(
            local_time(each.row.at, replayed.zone),
            f"{_decision_text(replayed, each)}: {each.decision.reason.sentence}{_original_reason_suffix(each)}",
        )
    yield TextRow("", _held_text(replayed))
    for mismatch in replayed.mismatches:
        other = "charging" if mismatch.held else "not charging"
        yield TextRow(
            _span_text(replayed, mismatch),
            f"{other} when re-run minute by minute: the journal does not show what happened",
        )


def _held_text(replayed: ReplayedDay) -> str:
    """How long was held; what no read-back showed was only asked for."""
    if replayed.confirmed + MINUTE >= replayed.held:
        return f"Charged from the grid for {_minutes_text(replayed.held)}."
    done, asked = _minutes_text(replayed.confirmed), _minutes_text(replayed.held)
    return f"Charged from the grid for {done}, asked for {asked}: the Powerwall did not confirm the rest."


def _comparison_rows(replayed: ReplayedDay, comparison: PolicyComparison, setting: str) -> Iterator[TextRow]:
    yield TextRow(
        "", f"With {setting}:" if comparison.differences else f"With {setting} nothing would have been different."
    )
    for each in comparison.differences:
        what = "charging" if each.held else "not charging"
        why = f": {each.reason.sentence}" if each.reason else ""
        yield TextRow(
            _span_text(replayed, each), f"{what} for {_minutes_text(each.span.ends_at - each.span.starts_at)}{why}"
        )
    if comparison.differences:
        yield TextRow(
            "",
            f"Charged for {_minutes_text(comparison.held)} instead of {_minutes_text(comparison.held_before)}.",
        )
        yield TextRow("", _savings_text(comparison))
    if comparison.guessed:
        no_record_text = f"For {_minutes_text(comparison.guessed)} it was not recorded whether the car was charging"
        yield TextRow(
            "",
            f"{no_record_text}; it counts as not charging. {BETWEEN_READINGS_NOTE}",
        )


def _savings_text(comparison: PolicyComparison) -> str:
    found = comparison.savings
    if found is None:
        return "The saving in pence is not known: no rates are set, or the Powerwall was not measured."
    less = "less" if found.pence < 0 else "more"
    into = f"{abs(found.kwh):.1f} kWh {'less' if found.kwh < 0 else 'more'} into the Powerwall"
    usual = " from the usual power of the day" if found.usual else ""
    return f"Estimated{usual}: {into}, {abs(found.pence):.0f} p {less} saved."


def _decision_text(replayed: ReplayedDay, each: RepeatedDecision) -> str:
    hold = each.decision.hold
    if hold is None:
        return "back to normal" if each.row.state and each.row.state.hold else "no charge"
    extra = "for the extra half hour, " if hold.kind is HoldKind.EXTENSION else ""
    return f"charge from the grid {extra}until {local_time(hold.until, replayed.zone)}"


def _original_reason_suffix(each: RepeatedDecision) -> str:
    return "" if each.is_unchanged or each.row.reason is None else f" (then: {each.row.reason.sentence})"


def _span_text(replayed: ReplayedDay, stretch: HoldDifference) -> str:
    return f"{local_time(stretch.span.starts_at, replayed.zone)}-{local_time(stretch.span.ends_at, replayed.zone)}"


def _minutes_text(held: timedelta) -> str:
    return f"{held // MINUTE} min"


def _count_text(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


CONTROL_PREFIX: Final = "control."
POLICY_FIELDS: Final = {
    "extension": "extension",
    "release_lead_seconds": "release_lead",
    "min_hold_seconds": "min_hold",
    "grace_seconds": "grace",
    "max_hours_per_day": "max_hours_per_day",
    "cheap_period": "cheap_period",
}
"""Keys of the section `control` that are numbers of the policy, each with its name there."""
NO_CAP_WORDS: Final = {"null", "none"}


def parse_policy_change(app: App, given: Mapping[str, str]) -> PolicyChange:
    """What these values, given by key (with or without `control.`), make of a policy.

    ValueError, fit to be shown, for a key that is no number of the policy and for a value that is not right.
    """
    values = {
        key.removeprefix(CONTROL_PREFIX): _parse_policy_value(key.removeprefix(CONTROL_PREFIX), text)
        for key, text in given.items()
    }
    control = structs.replace(app.config.control, **values)
    policy = App(structs.replace(app.config, control=control), app.now, read_only=True).policy
    changed = {POLICY_FIELDS[key]: getattr(policy, POLICY_FIELDS[key]) for key in values}

    def amend(was: Policy) -> Policy:
        return replace(was, **changed)

    return amend


def _parse_policy_value(key: str, text: str) -> object:
    if key not in POLICY_FIELDS:
        closest = closest_name(key, POLICY_FIELDS)
        meant = f"Did you mean {CONTROL_PREFIX}{closest}?" if closest else f"Use one of {', '.join(POLICY_FIELDS)}."
        raise ValueError(f"{CONTROL_PREFIX}{key} cannot be changed here. {meant}")
    setting = SETTINGS["control"][key]
    if key == "max_hours_per_day" and text.strip().lower() in NO_CAP_WORDS:
        return None
    normalized = re.sub(r"[\[\]\"' ]", "", text).replace("-", ",") if key == "cheap_period" else text
    try:
        return setting.parse(normalized, Path)
    except ValueError:
        raise ValueError(f"{CONTROL_PREFIX}{key} is {text}. {setting.describe_valid_value(text)}.") from None


@click.command("replay")
@click.argument("day", help="2026-11-22, today or yesterday.")
@click.option(
    "--set",
    "settings",
    metavar="KEY=VALUE",
    multiple=True,
    help="Try a different setting, for example extension=false.",
)
@at_option
@click.pass_obj
def replay_command(session: CliContext, *, day: str, settings: tuple[str, ...], at: str | None) -> int:
    """Re-run a past day, optionally with different settings."""
    given = dict(_parse_setting(each) for each in settings)
    with closing(session.open_app(read_only=True)) as app:
        app.now = parse_time(at, app) if at else app.now
        try:
            amend = parse_policy_change(app, given) if given else None
        except ValueError as error:
            raise click.UsageError(f"--set {error}") from None
        replayed = replay_day(app, _parse_past_day(day, app), amend)
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        setting = ", ".join(f"{CONTROL_PREFIX}{key.removeprefix(CONTROL_PREFIX)}={text}" for key, text in given.items())
        click.echo("\n".join(replay_lines(replayed, setting, width)))
    return 0


def _parse_setting(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key.strip() and equals and value.strip()):
        raise click.UsageError(f"--set {text} is not valid. Write it as KEY=VALUE, for example extension=false")
    return key.strip(), value.strip()


def _parse_past_day(text: str, app: App) -> date:
    """A local day that has begun; one that lies ahead is a usage error."""
    day = parse_day(text, app)
    if day > local_day(app.now, app.policy.cheap_period.zone):
        raise click.UsageError(f"{text} has not started yet")
    return day
