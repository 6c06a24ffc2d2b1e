"""Whole days: how often the services are asked, and that the demo's day ends as it should."""

from pathlib import Path

import pytest
from story_case import Performance, minutes_with_words, perform, spoken_secrets
from story_laws import broken_laws
from story_replay import decided_otherwise

from smartcharge.world.checks import check
from smartcharge.world.story_file import load_story, stories

DAY_MINUTES = 1440
LOOKED_AHEAD = 15
"""After the midnight reset has written, minutes are looked at in full until the supplier is asked again."""


@pytest.fixture(scope="module")
def idle_day(tmp_path_factory: pytest.TempPathFactory) -> Performance:
    """A tick in every minute of a day on which nothing is planned."""
    return perform(load_story(stories()["idle"]), tmp_path_factory.mktemp("idle"))


def test_an_idle_day_asks_kraken_at_most_450_times(idle_day: Performance) -> None:
    assert len(idle_day.played.minutes) == DAY_MINUTES
    assert 0 < idle_day.played.counts["kraken"] <= 450


def test_an_idle_day_signs_in_at_most_once(idle_day: Performance) -> None:
    assert idle_day.played.counts["sign_ins"] <= 1


def test_an_idle_day_s_minutes_are_passed_over_but_for_the_fetches(idle_day: Performance) -> None:
    fetches = len({request.at for request in idle_day.played.requests})

    assert idle_day.wronged == ()
    assert idle_day.quiet >= DAY_MINUTES - fetches - LOOKED_AHEAD


def test_an_idle_day_asks_tesla_for_the_midnight_reset_only(idle_day: Performance) -> None:
    asked = {request.at for request in idle_day.played.requests if request.service == "tesla"}

    assert asked == {idle_day.played.minutes[0].at}
    assert idle_day.played.counts["tesla"] <= 8


def test_an_idle_day_leaves_the_charger_and_the_post_alone(idle_day: Performance) -> None:
    assert {request.service for request in idle_day.played.requests} <= {"kraken", "tesla", "tesla-auth"}


def test_an_idle_day_prints_nothing_and_writes_nothing(idle_day: Performance) -> None:
    assert minutes_with_words(idle_day.played) == []
    assert idle_day.played.writes == ()


def test_the_idle_story_ends_as_it_should(idle_day: Performance) -> None:
    assert check(idle_day.played, load_story(stories()["idle"])) == []


def test_the_demo_s_day_ends_as_it_should(tmp_path: Path) -> None:
    story = load_story(stories()["evening"])
    performance = perform(story, tmp_path)

    assert len(performance.played.minutes) == DAY_MINUTES
    assert check(performance.played, story) == []
    assert broken_laws(performance.played, story) == []
    assert list(decided_otherwise(tmp_path, performance.played)) == []
    assert list(spoken_secrets(performance.words)) == []


def test_a_hub_that_refuses_its_key_is_left_alone(tmp_path: Path) -> None:
    """Two refusals, of two requests each; the configuration does not change, so nothing is asked again."""
    performance = perform(load_story(stories()["refused-by-the-hub"]), tmp_path)
    asked = sorted({f"{each.at:%H:%M}" for each in performance.played.requests if each.service == "myenergi"})

    assert len(asked) == 2
    assert asked[-1] < "13:10"


def test_a_spent_tesla_token_is_tried_four_times_an_hour_at_most(tmp_path: Path) -> None:
    performance = perform(load_story(stories()["tesla-refuses-the-token"]), tmp_path)
    asked = {each.at for each in performance.played.requests if each.service.startswith("tesla")}

    assert 1 <= len(asked) <= 5
