"""The laws of noise: who has nothing to tell is silent and ends with 0, and trouble is told once."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from soak_sight import Known, Run, Sight

if TYPE_CHECKING:
    from soak_day import Day
    from soak_house import SoakSession

CALM = timedelta(minutes=25)
SAME_LINE = timedelta(minutes=20)
BY_HAND = {"pause", "resume"}
"""Whoever types a command hears of it each time."""


class NoiseLaws:
    """warned_at: when each line of trouble was told last."""

    def __init__(self, day: "Day", sight: Sight) -> None:
        self.day, self.sight = day, sight
        self.warned_at: dict[str, datetime] = {}

    def after_run(self, run: Run, session: "SoakSession", code: int, known: Known) -> None:
        """Judge how a run ended, and what it said."""
        changed = self.sight.changes() != run.changes_before or run.had_company
        if self.sight.well_for > CALM and code != 0 and not known.seen.clock_is_doubtful:
            self.sight.broken("all is well", f"{run.command} ends with {code}")
        if run.is_quiet and (run.asked or code > 0 or changed) and not run.had_company:
            self.sight.broken("a quiet minute is an idle one", f"{run.command} asks {run.asked}, ends with {code}")
        if run.command not in BY_HAND:
            self._judge_words(session, changed=changed)

    def _judge_words(self, session: "SoakSession", *, changed: bool) -> None:
        now = self.day.now
        if session.said and not changed and not self.day.disk_is_full:
            self.sight.broken("nothing changed, nothing printed", session.said)
        for line in session.warned:
            last = self.warned_at.get(line)
            if last is not None and now - last < SAME_LINE and self.sight.sure_for > SAME_LINE:
                self.sight.broken("trouble is told once", line)
            self.warned_at[line] = now
