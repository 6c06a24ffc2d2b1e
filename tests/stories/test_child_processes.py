"""Cron starts a process for every command; that border makes no difference to a story."""

import os
import subprocess
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest
from story_case import Performance, perform, perform_in

import smartcharge
from smartcharge.commands.demo import street
from smartcharge.world.checks import check
from smartcharge.world.player import Outcome, Run
from smartcharge.world.story import Story
from smartcharge.world.story_file import load_story, stories

RUN_AT = Path(__file__).with_name("run_at.py")
HOME = Path(smartcharge.__file__).parent.parent
LONGEST_S = 300
"""Only so that nothing waits for ever; that a command ends in time is proven elsewhere."""
EVERY = bool(os.environ.get("SMARTCHARGE_EVERY_POINT"))
"""A process for every run takes long: one story is enough for each day, the others are for a quiet hour."""


def children(folder: Path) -> Run:
    """Run every command line in a child, in a folder that has nothing to do with it."""

    def run(arguments: list[str], at: datetime) -> Outcome:
        command = [sys.executable, str(RUN_AT), at.isoformat(), "--config", f"{folder}/config.yaml"]
        done = subprocess.run(
            [*command, *arguments],
            cwd="/",
            env={**os.environ, "PYTHONPATH": str(HOME)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


def perform_in_children(story: Story, folder: Path) -> Performance:
    with street(folder, story) as (town, _run):
        return perform_in(story, town, children(folder))


@pytest.mark.parametrize("name", ["left-as-it-was", *(["half-an-hour", "reconcile-alone"] if EVERY else [])])
def test_a_story_goes_the_same_in_processes_of_their_own(name: str, tmp_path: Path) -> None:
    story = load_story(stories()[name])
    (tmp_path / "one").mkdir()
    (tmp_path / "many").mkdir()
    here, there = perform(story, tmp_path / "one"), perform_in_children(story, tmp_path / "many")

    assert check(there.played, story) == []
    assert there.played.writes == here.played.writes
    assert there.words == here.words
    assert Counter((each.at, each.service) for each in there.played.requests) == Counter(
        (each.at, each.service) for each in here.played.requests
    )
