"""`smartcharge metrics`: print what is stored as Prometheus metrics. Changes nothing and needs no network."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path

import click
from msgspec import Struct

from smartcharge import __version__
from smartcharge.app import App
from smartcharge.cli_context import CliContext
from smartcharge.commands.options import WORLD_READABLE_MODE, export_file
from smartcharge.errors import AppError, StoreError
from smartcharge.policy.battery import MODE_AUTONOMOUS, MODE_BACKUP, MODE_SELF_CONSUMPTION
from smartcharge.policy.model import ChargerState, HoldKind, merge_windows
from smartcharge.report.problems import find_problems
from smartcharge.report.snapshot import Snapshot, load_snapshot
from smartcharge.store.journal import read_schema_version

MetricValue = float | bool | datetime
MetricSample = tuple[Mapping[str, str], MetricValue]


class MetricFamily(Struct, frozen=True):
    """One metric with its samples; without any it is not told at all.

    name: with its unit's suffix. kind: gauge or counter. means: one sentence.
    """

    name: str
    kind: str
    help_text: str
    samples: tuple[MetricSample, ...]


def gauge_metric(name: str, help_text: str, value: MetricValue | None) -> MetricFamily:
    """Return a metric without labels. None: unknown, so no sample. Instants become seconds since 1970."""
    return MetricFamily(name, "gauge", help_text, () if value is None else (({}, value),))


def labelled_metric(
    name: str, help_text: str, label: str, values: Mapping[str, MetricValue], *, kind: str = "gauge"
) -> MetricFamily:
    """Return a metric with one label, with a sample for each of its values."""
    return MetricFamily(name, kind, help_text, tuple(({label: key}, value) for key, value in values.items()))


def state_metric(name: str, help_text: str, label: str, known: Iterable[str], current: str | None) -> MetricFamily:
    """Return one sample for each state: 1 for the current one, 0 for the others."""
    return labelled_metric(name, help_text, label, {state.lower(): state == current for state in known})


def render_prometheus_text(families: Iterable[MetricFamily]) -> str:
    """Return the metrics as text in the Prometheus format."""
    return "".join(f"{line}\n" for family in families if family.samples for line in _family_lines(family))


def _family_lines(family: MetricFamily) -> Iterator[str]:
    yield f"# HELP {family.name} {_escape_help_text(family.help_text)}"
    yield f"# TYPE {family.name} {family.kind}"
    for labels, value in family.samples:
        pairs = ",".join(f'{label}="{_escape_label_value(text)}"' for label, text in labels.items())
        yield f"{family.name}{f'{{{pairs}}}' if pairs else ''} {_format_sample_value(value)}"


def _escape_help_text(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _escape_label_value(text: str) -> str:
    return _escape_help_text(text).replace('"', r"\"")


def _format_sample_value(value: MetricValue) -> str:
    if isinstance(value, datetime):
        return f"{value.timestamp():.0f}"
    return str(int(value)) if value == int(value) else repr(float(value))


METRICS_FILE_PREFIX = "# HELP smartcharge_"
PERCENT_PER_UNIT = 100


def metric_families(snapshot: Snapshot, schema: int) -> Iterator[MetricFamily]:
    """Yield every metric; an unknown value has no sample."""
    yield from database_metrics(schema)
    yield gauge_metric(
        "smartcharge_collected_timestamp_seconds", "When these metrics were collected.", snapshot.state.now
    )
    yield from _plan_metrics(snapshot)
    yield from _hold_metrics(snapshot)
    yield from _battery_metrics(snapshot)
    yield from _charger_metrics(snapshot)
    yield from _problem_metrics(snapshot)
    yield from _service_metrics(snapshot)


def database_metrics(schema: int | None) -> Iterator[MetricFamily]:
    """Return the metrics about the program itself. schema: None if the database cannot be read."""
    labels = {"version": __version__, "schema": "" if schema is None else str(schema)}
    yield MetricFamily("smartcharge_info", "gauge", "The program's version and the database's schema.", ((labels, 1),))
    yield gauge_metric(
        "smartcharge_database_readable", "Whether there is a database, and it can be read.", schema is not None
    )


def _plan_metrics(snapshot: Snapshot) -> Iterator[MetricFamily]:
    ahead = [span for span in merge_windows(snapshot.state.windows) if span.ends_at > snapshot.state.now]
    begins_at = ahead[0].starts_at if ahead else None
    yield gauge_metric(
        "smartcharge_plan_fresh", "Whether the supplier's plan is young enough to act on.", snapshot.is_plan_fresh
    )
    yield gauge_metric(
        "smartcharge_plan_answer_timestamp_seconds", "When the supplier last answered.", snapshot.fetched_at
    )
    yield gauge_metric("smartcharge_windows", "Cheap windows that are open or lie ahead.", len(ahead))
    yield gauge_metric("smartcharge_next_window_timestamp_seconds", "When the next, or open, window begins.", begins_at)
    yield gauge_metric("smartcharge_cheap_period", "Whether the nightly rate applies.", snapshot.state.is_cheap_now)


def _hold_metrics(snapshot: Snapshot) -> Iterator[MetricFamily]:
    held = snapshot.hold
    kind, opened_at, until = (held.hold.kind, held.opened_at, held.hold.until) if held else (None, None, None)
    is_overridden = snapshot.state.manual_override_until is not None
    yield state_metric("smartcharge_hold", "Whether the Powerwall is promised to be held.", "kind", HoldKind, kind)
    yield gauge_metric("smartcharge_hold_opened_timestamp_seconds", "When the hold was opened.", opened_at)
    yield gauge_metric("smartcharge_hold_until_timestamp_seconds", "When the hold ends.", until)
    yield gauge_metric(
        "smartcharge_next_release_timestamp_seconds", "When its release is due.", snapshot.next_release_at
    )
    yield gauge_metric("smartcharge_paused", "Whether the owner has paused it.", snapshot.state.is_paused)
    yield gauge_metric(
        "smartcharge_stood_down", "Whether a window is left to whoever set the Powerwall.", is_overridden
    )


def _battery_metrics(snapshot: Snapshot) -> Iterator[MetricFamily]:
    memory, level, modes = snapshot.battery, snapshot.level, (MODE_BACKUP, MODE_AUTONOMOUS, MODE_SELF_CONSUMPTION)
    reserve = None if memory.confirmed_reserve_pct is None else memory.confirmed_reserve_pct / PERCENT_PER_UNIT
    energy = None if level is None or level.soe_pct is None else level.soe_pct / PERCENT_PER_UNIT
    doubtful = memory.in_doubt_since is not None
    yield gauge_metric(
        "smartcharge_battery_owned", "Whether smartcharge set the Powerwall and has yet to restore it.", memory.owned
    )
    yield gauge_metric("smartcharge_battery_in_doubt", "Whether a command waits for its confirmation.", doubtful)
    yield state_metric(
        "smartcharge_battery_mode", "The confirmed operation mode.", "mode", modes, memory.confirmed_mode
    )
    yield gauge_metric("smartcharge_battery_reserve_ratio", "The confirmed backup reserve.", reserve)
    yield gauge_metric("smartcharge_battery_energy_ratio", "Its state of energy when it was last read.", energy)
    yield gauge_metric(
        "smartcharge_battery_energy_timestamp_seconds", "When that was read.", level.at if level else None
    )


def _charger_metrics(snapshot: Snapshot) -> Iterator[MetricFamily]:
    reading = snapshot.charger.reading if snapshot.charger else None
    state, watts = (reading.state, reading.watts) if reading else (ChargerState.UNKNOWN, None)
    yield state_metric(
        "smartcharge_charger_state", "What the charger last said of the car.", "state", ChargerState, state
    )
    yield gauge_metric("smartcharge_charger_power_watts", "Power into the car when it was last read.", watts)
    yield gauge_metric(
        "smartcharge_charger_timestamp_seconds", "When it was last asked.", reading.at if reading else None
    )


def _problem_metrics(snapshot: Snapshot) -> Iterator[MetricFamily]:
    problems = find_problems(snapshot)
    owners = sum(problem.is_for_owner for problem in problems)
    whose = {"owner": owners, "nobody": len(problems) - owners}
    named = [({"command": each.command, "kind": each.kind}, each) for each in snapshot.alerts]
    counts = tuple((labels, each.count) for labels, each in named)
    begins = tuple((labels, each.since) for labels, each in named)
    yield labelled_metric("smartcharge_needs", "What is wrong, by whose business it is.", "whose", whose)
    yield MetricFamily("smartcharge_episode_failures", "gauge", "Failures running of trouble that goes on.", counts)
    yield MetricFamily("smartcharge_episode_since_timestamp_seconds", "gauge", "Since when trouble goes on.", begins)


def _service_metrics(snapshot: Snapshot) -> Iterator[MetricFamily]:
    rows, box = snapshot.services, snapshot.outbox
    runs = {row.command: row.at for row in snapshot.last_runs}
    requests = Counter({name: row.requests for name, row in rows.items()})
    requests["kraken"] += sum(device.requests for device in snapshot.devices)
    posts = {"waiting": box.waiting, "sent": box.sent, "failed": box.failed}
    yield labelled_metric("smartcharge_last_event_timestamp_seconds", "When a command last wrote into the journal.",
                   "command", runs)  # fmt: skip
    yield gauge_metric(
        "smartcharge_last_sign_timestamp_seconds", "When any run wrote anything down.", snapshot.last_activity_at
    )
    yield labelled_metric("smartcharge_requests_total", "Requests made, and attempts to post, as far as runs wrote them down.",  # noqa: E501
                   "service", requests, kind="counter")  # fmt: skip
    yield labelled_metric("smartcharge_service_failures", "Failures running of a service.", "service",
                   {name: row.failures for name, row in rows.items()})  # fmt: skip
    yield labelled_metric("smartcharge_service_refused", "Whether a service refuses the sign-in.", "service",
                   {name: name in snapshot.refused_services for name in rows})  # fmt: skip
    yield labelled_metric("smartcharge_outbox_messages", "Mails by what became of them.", "state", posts)


@click.command("metrics")
@click.option("--output", metavar="FILE", help="Write to a file of node_exporter's textfile collector, as a whole.")
@click.pass_obj
def metrics_command(session: CliContext, *, output: str | None) -> int:
    """Print Prometheus metrics."""
    with closing(session.open_app(read_only=True)) as app:
        try:
            text, code = _load_metrics(app)
        except AppError:
            _write_metrics(render_prometheus_text(database_metrics(None)), output)
            raise
    _write_metrics(text, output)
    return code


def _load_metrics(app: App) -> tuple[str, int]:
    """Return the metrics and the exit code; without a database, only that it is missing."""
    snapshot = load_snapshot(app)
    if snapshot.missing_database:
        return render_prometheus_text(database_metrics(None)), StoreError.exit_code
    return render_prometheus_text(metric_families(snapshot, read_schema_version(app.read_only_db))), 0


def _write_metrics(text: str, output: str | None) -> None:
    if output is None:
        click.echo(text, nl=False)
    else:
        export_file(Path(output), text, required_prefix=METRICS_FILE_PREFIX, mode=WORLD_READABLE_MODE)
