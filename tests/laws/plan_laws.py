"""The laws of the remembered plan: what an answer of the supplier changes, worked out without the program's rules."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from laws.decision_laws import BelievedPlan, DecisionLaws
from laws.record import Span, text_of_spans

from smartcharge.policy.model import Dispatch
from smartcharge.policy.plan import KnownDispatch, PlanChanges

WITHDRAWN_AFTER = timedelta(seconds=60)


def believe_answer(plan: BelievedPlan, planned: set[Span], now: datetime) -> tuple[set[Span], set[Span]]:
    """Take an answer into a believed plan; gives the spans that a revision replaced, and those that are withdrawn."""
    revised, withdrawn = set(), set()
    for span, missing_since in [each for each in plan.spans.items() if each[0][1] > now and each[0] not in planned]:
        start, end = span
        if any(other == start or (other < end and start < until) for other, until in planned):
            revised.add(span)
        elif start <= now or (missing_since is not None and now - missing_since >= WITHDRAWN_AFTER):
            withdrawn.add(span)
        else:
            plan.spans[span] = missing_since or now
    for span in revised | withdrawn:
        del plan.spans[span]
    plan.spans.update({span: None for span in planned if span[1] > now})
    return revised, withdrawn


def judge_answer(
    laws: DecisionLaws,
    plan: BelievedPlan,
    planned: Iterable[Dispatch],
    changes: PlanChanges,
    rows: Mapping[int, KnownDispatch],
    now: datetime,
) -> None:
    """Judge what is remembered after an answer: all that was planned for the future, and what is not yet given up."""
    energies: dict[Span, set[float | None]] = {}
    for each in planned:
        energies.setdefault((each.starts_at, each.ends_at), set()).add(each.energy_kwh)
    revised, withdrawn = believe_answer(plan, set(energies), now)
    remembered = {row.span: row.energy_kwh for row in rows.values() if row.withdrawn_at is None}
    if remembered.keys() != plan.spans.keys():
        laws.add(now, "what was answered is remembered", text_of_spans(remembered.keys() ^ plan.spans.keys()))
    wrong = [span for span in energies if span[1] > now and remembered.get(span) not in energies[span]]
    if wrong:
        laws.add(now, "the energy is as it was answered", text_of_spans(wrong))
    replaced_by = {rows[old].span: span for old, span in changes.superseded}
    if replaced_by.keys() != revised or not set(replaced_by.values()) <= energies.keys():
        laws.add(now, "what a revision replaces is superseded", text_of_spans(replaced_by.keys() | revised))
    if {rows[old].span for old in changes.withdrawn} != withdrawn:
        laws.add(
            now, "what is planned no more is withdrawn in time", f"{changes.withdrawn}, {text_of_spans(withdrawn)}"
        )
