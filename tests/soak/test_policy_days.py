"""Random days of the rules alone keep the laws, and the laws notice rules that are wrong.

Many more, and each of them again, are played by `python tests/soak/days.py`.
"""

import pytest
from msgspec.structs import replace
from policy_day import DecisionRule, PolicyDay, PolicyDayTally
from policy_days import format_total, play_days

from smartcharge.policy.decide import decide
from smartcharge.policy.model import ChargerState, Decision, Reason, State

DAYS = 8


def believes_an_unknown_car(seen: State) -> Decision:
    return decide(replace(seen, charger=ChargerState.CHARGING) if seen.charger is ChargerState.UNKNOWN else seen)


def believes_an_old_plan(seen: State) -> Decision:
    return decide(replace(seen, windows=tuple(replace(window, seen_at=seen.now) for window in seen.windows)))


def never_lets_go(seen: State) -> Decision:
    decision = decide(seen)
    return Decision(decision.hold or seen.hold, decision.reason)


def never_holds(_seen: State) -> Decision:
    return Decision(None, Reason.NOTHING_TO_HOLD)


WRONG: dict[DecisionRule, str] = {
    believes_an_unknown_car: "only a car that charges in a fresh window begins a hold",
    believes_an_old_plan: "no hold outlives its evidence",
    never_lets_go: "the battery always comes back",
    never_holds: "a car that charges in a window is held for",
}


def test_no_random_day_of_the_rules_breaks_a_law() -> None:
    total = PolicyDayTally()
    for tally in play_days(range(1, DAYS + 1), jobs=1):
        total.add(tally)

    assert total.broken == {}
    assert total.counts["holds"] > DAYS  # days in which nothing happens prove nothing
    assert total.counts["extensions"] > 0
    assert f"{DAYS} days" in format_total(total, took=1.0)


@pytest.mark.parametrize(("rule", "law"), WRONG.items())
def test_a_wrong_rule_is_noticed(rule: DecisionRule, law: str) -> None:
    broken = (
        words for seed in range(1, 50) for days in [PolicyDay(seed, rule).play().broken] for words in days.get(seed, ())
    )
    assert any(law in words for words in broken)
