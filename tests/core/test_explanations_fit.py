"""Whatever was decided, its explanation fits a screen of 80 by 24 signs and names its rule."""

from hypothesis import given, settings
from random_situations import THOROUGH, situations

from smartcharge.act.show.explain import Explanation
from smartcharge.act.show.explain_facts import Evidence, facts
from smartcharge.act.show.explain_text import lines
from smartcharge.core.answers import ChargerReading
from smartcharge.core.decide import decide
from smartcharge.core.explain import ahead, otherwise
from smartcharge.core.model import Situation

WIDTH, HEIGHT = 80, 23
"""One line is left for the prompt."""


def explained(seen: Situation) -> Explanation:
    """A situation explained, with the longest words that its sources give."""
    reading = ChargerReading(seen.charger, seen.now, 7200.0, "7,200 W, pilot E2: contradictory")
    named = {(window.device, window.starts_at, window.ends_at): window.starts_at for window in seen.windows}
    answered_at = max((window.seen_at for window in seen.windows), default=None)
    known = facts(seen, Evidence(reading, answered_at, seen.now, named))
    return Explanation(seen.now, seen, decide(seen), known, otherwise(seen), ahead(seen))


@settings(THOROUGH, max_examples=40)
@given(situations())
def test_an_explanation_fits_a_screen_and_names_its_rule(seen: Situation) -> None:
    told = list(lines(explained(seen), WIDTH))

    assert len(told) <= HEIGHT, "\n".join(told)
    assert max(map(len, told)) <= WIDTH
    assert decide(seen).because in " ".join(told)
    assert decide(seen).because.sentence in " ".join(" ".join(told).split())
