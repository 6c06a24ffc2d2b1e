"""The laws of noise: who has nothing to tell is silent and ends with 0, and trouble is told once."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from soak_observer import DayObserver, RunRecord, StoredState

if TYPE_CHECKING:
    from soak_day import SoakDay
    from soak_house import SoakContext


CALM_TIME = timedelta(minutes=25)
MIN_REPEAT_INTERVAL = timedelta(minutes=20)
MANUAL_COMMANDS = {"pause", "resume"}
"""Whoever types a command hears of it each time."""


class OutputLaws:
    """warned_at: when each line of trouble was told last."""

    def __init__(self, day: "SoakDay", observer: DayObserver) -> None:
        self.day, self.observer = day, observer
        self.warned_at: dict[str, datetime] = {}

    def after_run(self, run: RunRecord, session: "SoakContext", code: int, known: StoredState) -> None:
        """Judge how a run ended, and what it said."""
        changed = self.observer.changes() != run.changes_before or run.was_interleaved
        if self.observer.time_since_fault > CALM_TIME and code != 0 and not known.seen.clock_is_doubtful:
            self.observer.broken("all is well", f"{run.command} ends with {code}")
        if run.is_quiet and (run.asked or code > 0 or changed) and not run.was_interleaved:
            self.observer.broken("a quiet minute is an idle one", f"{run.command} asks {run.asked}, ends with {code}")
        if run.command not in MANUAL_COMMANDS:
            self._judge_words(session, changed=changed)

    def _judge_words(self, session: "SoakContext", *, changed: bool) -> None:
        now = self.day.now
        if session.said and not changed and not self.day.disk_is_full:
            self.observer.broken("nothing changed, nothing printed", session.said)
        for line in session.warned:
            last = self.warned_at.get(line)
            if (
                last is not None
                and now - last < MIN_REPEAT_INTERVAL
                and self.observer.time_since_unrecorded > MIN_REPEAT_INTERVAL
            ):
                self.observer.broken("trouble is told once", line)
            self.warned_at[line] = now
