"""The laws of what was recorded: every decision is right on what it was shown, and what it was shown is true."""

import sqlite3
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from laws.decision_laws import CheapMinutes, DecisionLaws, plans_in_state
from laws.record import Span

from smartcharge.jobs.reconcile import RECONCILE_COMMAND
from smartcharge.policy.decide import decide
from smartcharge.policy.model import ChargerState, State
from smartcharge.store.journal import load_journal

CHEAP_RANGE_MINUTES = 26 * 60
CHARGER_MAX_AGE = timedelta(seconds=135)
"""The charger is asked every other minute, or more often."""
DECIDED = "decided"


class JournalLaws:
    """Judges decisions from the journal, in their order; those that were judged already are passed over."""

    def __init__(self) -> None:
        self._last_id = 0
        self._laws: DecisionLaws | None = None

    def new_rows(self, db: sqlite3.Connection) -> Iterator[tuple[State, str]]:
        """Give the state of every new decision with each law that it breaks, or with an empty text."""
        for row in load_journal(db, command=RECONCILE_COMMAND):
            if row.id <= self._last_id:
                continue
            self._last_id = row.id
            if row.outcome == DECIDED and row.state is not None:
                decision = decide(row.state)
                if decision.reason is not row.reason:
                    yield row.state, f"the journal decides again: {row.reason}, then {decision.reason}"
                for law in self._judge(row.state):
                    yield row.state, law
                yield row.state, ""

    def _judge(self, state: State) -> list[str]:
        cheap = CheapMinutes(state.policy, state.now.replace(second=0), CHEAP_RANGE_MINUTES)
        if self._laws is None or self._laws.policy != state.policy:
            self._laws = DecisionLaws(state.policy, cheap)
        self._laws.cheap, self._laws.broken = cheap, []
        self._laws.decided(state, decide(state).hold, plans_in_state(state.windows))
        return self._laws.broken


def judge_evidence(state: State, charging_at: Collection[datetime], told: Collection[Span]) -> Iterator[str]:
    """Name what a decision was shown though nobody said so.

    charging_at: when the charger said that the car charges. told: every span that the supplier has ever planned.
    """
    if state.charger is ChargerState.CHARGING:
        ages = [state.now - at for at in charging_at]
        if not any(timedelta(0) <= age <= CHARGER_MAX_AGE for age in ages):
            yield "a car charges only if the charger says so"
    shown = {(each.starts_at, each.ends_at) for each in state.windows}
    if invented := shown.difference(told):
        yield f"a window is planned only if the supplier says so: {sorted(invented)}"
