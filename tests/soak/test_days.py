"""Random days of the rules alone keep the laws, and the laws notice rules that are wrong.

Many more, and each of them again, are played by `python tests/soak/days.py`.
"""

import pytest
from days import played, told
from days_house import Day, Rule, Tally
from msgspec.structs import replace

from smartcharge.core.decide import decide
from smartcharge.core.model import Because, ChargerState, Decision, Situation

DAYS = 8


def believes_an_unknown_car(seen: Situation) -> Decision:
    return decide(replace(seen, charger=ChargerState.CHARGING) if seen.charger is ChargerState.UNKNOWN else seen)


def believes_an_old_plan(seen: Situation) -> Decision:
    return decide(replace(seen, windows=tuple(replace(window, seen_at=seen.now) for window in seen.windows)))


def never_lets_go(seen: Situation) -> Decision:
    decision = decide(seen)
    return Decision(decision.hold or seen.hold, decision.because)


def never_holds(_seen: Situation) -> Decision:
    return Decision(None, Because.NOTHING_TO_HOLD)


WRONG: dict[Rule, str] = {
    believes_an_unknown_car: "only a car that charges in a fresh window begins a hold",
    believes_an_old_plan: "no hold outlives its evidence",
    never_lets_go: "the battery always comes back",
    never_holds: "a car that charges in a window is held for",
}


def test_no_random_day_of_the_rules_breaks_a_law() -> None:
    total = Tally()
    for tally in played(range(1, DAYS + 1), jobs=1):
        total.add(tally)

    assert total.broken == {}
    assert total.counts["holds"] > DAYS  # days in which nothing happens prove nothing
    assert total.counts["extensions"] > 0
    assert f"{DAYS} days" in told(total, took=1.0)


@pytest.mark.parametrize(("rule", "law"), WRONG.items())
def test_a_wrong_rule_is_noticed(rule: Rule, law: str) -> None:
    broken = (
        words for seed in range(1, 50) for days in [Day(seed, rule).play().broken] for words in days.get(seed, ())
    )
    assert any(law in words for words in broken)
