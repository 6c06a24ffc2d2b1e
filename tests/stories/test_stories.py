"""Every story that comes with the program, played through the real commands and the unmodified libraries."""

from collections.abc import Iterator
from pathlib import Path

import ics_linter
import pytest
from story_case import perform, spoken_secrets, stored_secrets, tracebacks
from story_laws import broken_laws
from story_replay import decided_otherwise

from smartcharge import budget
from smartcharge.act import conversation
from smartcharge.world.checks import check
from smartcharge.world.story_file import load_story, stories

WHOLE_DAYS = {"evening", "idle"}
"""Played in `test_budgets.py`."""
MOST_TOLD = 20
TALKATIVE = (
    *("nonsense-from-kraken", "moved-to-the-new-sign-in", "blocked-by-kraken"),
    *("refused-by-the-hub", "tesla-refuses-the-token"),
)
"""Stories in which every service is asked, refuses, fails and lies; played once more with -v."""
SHARES_S = {"tesla-hangs": 3.0}
"""Real seconds of the battery's share of a run, in stories in which it is used up: what comes of it is the same."""
STORIES = [name for name in stories() if name not in WHOLE_DAYS]


@pytest.fixture(autouse=True)
def _no_naps(monkeypatch: pytest.MonkeyPatch) -> None:
    """The street's time stands still within a run, so a nap between two read-backs changes nothing there."""
    monkeypatch.setattr(conversation, "NAPS_SECONDS", (0.0,) * len(conversation.NAPS_SECONDS))


@pytest.mark.parametrize("name", STORIES)
def test_a_story_ends_as_it_should(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "BATTERY_SECONDS", SHARES_S.get(name, budget.BATTERY_SECONDS))
    story = load_story(stories()[name])
    performance = perform(story, tmp_path)
    wrong = [
        *check(performance.played, story),
        *broken_laws(performance.played, story),
        *decided_otherwise(tmp_path, performance.played),
        *spoken_secrets(performance.words),
        *tracebacks(performance.words),
        *performance.wronged,
        *stored_secrets(tmp_path),
        *faults_of_mails([mail.raw for mail in performance.played.mails]),
    ]

    assert not wrong, f"{name}: {story.about}\n- " + "\n- ".join(wrong[:MOST_TOLD])


def faults_of_mails(mails: list[bytes]) -> Iterator[str]:
    """What a strict reader has against the story's mails, one by one and in their order."""
    newest: dict[str, int] = {}
    for raw in mails:
        yield from ics_linter.complaints(raw)
        told = ics_linter.told(raw)
        if told.sequence <= newest.get(told.uid, -1):
            yield f"{told.uid} goes back from {newest[told.uid]} to {told.sequence}"
        newest[told.uid] = told.sequence


@pytest.mark.parametrize("name", TALKATIVE)
def test_no_secret_is_told_however_talkative(name: str, tmp_path: Path) -> None:
    performance = perform(load_story(stories()[name]), tmp_path, verbose=True)

    assert any(word in text for _, text in performance.words for word in ("Zappi", "Kraken", "Tesla", "myenergi"))
    assert list(spoken_secrets(performance.words)) == []
    assert list(tracebacks(performance.words)) == []
