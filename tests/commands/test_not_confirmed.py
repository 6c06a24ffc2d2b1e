"""Held means confirmed by a read-back: what was only asked for is told as asked for, with the reason."""

from datetime import time, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from stored_house import MINUTE, NOW, StoredHouse, make_stored_house, record_refused_sign_in, store_open_hold

from smartcharge.policy.model import ChargerState, Policy, Reason
from smartcharge.policy.slots import CheapPeriod
from smartcharge.store.control import load_state, save_pause
from smartcharge.store.events import Event, EventDetail
from smartcharge.store.journal import append_journal


@pytest.fixture
def refused(tmp_path: Path) -> StoredHouse:
    """A hold since 13:05 that Tesla refuses."""
    house = make_stored_house(tmp_path)
    with house.writing() as db:
        store_open_hold(db, confirmed=False)
        policy = Policy(CheapPeriod(time(0), time(6), zone="UTC"))
        state = replace(load_state(db, NOW - MINUTE, policy), hold=None, charger=ChargerState.CHARGING)
        why = {"reason": Reason.CHARGING_IN_WINDOW, "command": "reconcile", "at": NOW - MINUTE}
        append_journal(db, state=state, outcome=Event.DECIDED, **why)  # type: ignore[arg-type]
        append_journal(
            db,
            outcome=Event.FAILED,
            error="Tesla refuses the sign-in.",
            detail=EventDetail(exit_code=5),
            **why,  # type: ignore[arg-type]
        )
        record_refused_sign_in(db, "tesla", NOW - MINUTE)
    return house


def test_a_report_counts_no_minute_that_was_not_confirmed(refused: StoredHouse) -> None:
    lines = refused.run("report", at=NOW + timedelta(minutes=20)).stdout.splitlines()

    assert any("13:00-13:30" in line and "(not confirmed)" in line for line in lines)


def test_explain_says_what_protection_failed_by(refused: StoredHouse) -> None:
    assert "(not protected: Tesla refused the sign-in)" in refused.run("explain").stdout


def test_a_replay_parts_what_was_held_from_what_was_asked_for(refused: StoredHouse) -> None:
    assert "for 0 min, asked for 21 min" in refused.run("replay", "today", at=NOW + timedelta(minutes=20)).stdout


def test_a_confirmed_hold_is_protected(tmp_path: Path) -> None:
    house = make_stored_house(tmp_path)
    with house.writing() as db:
        store_open_hold(db)

    assert "not protected" not in house.run("explain").stdout
    assert "Nothing was held" not in house.run("report").stdout


def test_the_end_of_a_pause_is_what_comes_next(tmp_path: Path) -> None:
    house = make_stored_house(tmp_path)
    with house.writing() as db:
        save_pause(db, NOW - MINUTE, NOW.replace(hour=18, minute=0, second=0))

    assert "18:00 the pause ends" in house.run("explain").stdout
