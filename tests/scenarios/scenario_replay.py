"""What was written down in a scenario decides the same again: each decision by itself, and the minutes between them."""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from smartcharge.app import App
from smartcharge.config.load import load_config
from smartcharge.policy.decide import decide
from smartcharge.policy.replay import hold_differences, recorded_holds, replay_decisions
from smartcharge.policy.slots import Span
from smartcharge.report.journal_reader import load_replay_data
from smartcharge.simulator.scenario_runner import ScenarioResult
from smartcharge.store.journal import load_journal

TICK_INTERVAL = timedelta(minutes=1)
"""What a minute decided again may be off by: more than one run may have come in the same minute."""


def find_replay_differences(folder: Path, played: ScenarioResult) -> Iterator[str]:
    """Name every decision of a scenario that comes out otherwise when it is decided again from its record."""
    first, last = (played.minutes[place].at.replace(second=0) for place in (0, -1))
    span = Span(first, last + TICK_INTERVAL)
    with closing(App(load_config(folder / "config.yaml", {}), last + TICK_INTERVAL, read_only=True)) as app:
        for row in load_journal(app.read_only_db):
            if (seen := row.state) is not None and decide(seen).reason is not row.reason:
                yield f"at {_clock(row.at)} it was {row.reason}, and is {decide(seen).reason} when decided again"
        known = load_replay_data(app, span)
    for each in hold_differences(recorded_holds(known, span), replay_decisions(known, span)):
        if each.span.ends_at - each.span.starts_at > TICK_INTERVAL:
            held = "held" if each.held else "not held"
            when = f"{_clock(each.span.starts_at)}-{_clock(each.span.ends_at)}"
            yield f"{when} is {held} when decided again: {each.reason}"


def _clock(at: datetime) -> str:
    return f"{at:%H:%M} UTC"
