"""Whatever was decided, its explanation fits a screen of 80 by 24 characters and gives the reason."""

from hypothesis import given, settings
from random_states import LAW_SETTINGS, random_states

from smartcharge.commands.explain import DecisionEvidence, Explanation, decision_facts, explanation_lines
from smartcharge.policy.decide import decide
from smartcharge.policy.explain import find_counterfactuals, find_next_changes
from smartcharge.policy.model import ChargerReading, State

WIDTH, HEIGHT = 80, 23
"""One line is left for the prompt."""


def explained(state: State) -> Explanation:
    """A situation explained, with the longest words that its sources give."""
    reading = ChargerReading(state.charger, state.now, 7200.0, "7,200 W, pilot E2: contradictory")
    named = {(window.device, window.starts_at, window.ends_at): window.starts_at for window in state.windows}
    answered_at = max((window.seen_at for window in state.windows), default=None)
    known = decision_facts(state, DecisionEvidence(reading, answered_at, state.now, named))
    return Explanation(state.now, state, decide(state), known, find_counterfactuals(state), find_next_changes(state))


@settings(LAW_SETTINGS, max_examples=40)
@given(random_states())
def test_an_explanation_fits_a_screen_and_gives_its_reason(state: State) -> None:
    told = list(explanation_lines(explained(state), WIDTH))

    assert len(told) <= HEIGHT, "\n".join(told)
    assert max(map(len, told)) <= WIDTH
    assert decide(state).reason.sentence in " ".join(" ".join(told).split())
