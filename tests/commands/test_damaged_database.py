"""Random bytes of a real database are changed: every command ends with a documented exit code, and no traceback.

`DAMAGE_ROUNDS=1000` in the environment tries as many databases; each round is named by its seed.
"""

import os
import random
import shutil
from datetime import time, timedelta
from pathlib import Path

import pytest
from sample_days import fill_ordinary_day
from stored_house import NOW, StoredHouse, make_stored_house, store_open_hold

from smartcharge.policy.model import Policy
from smartcharge.policy.slots import CheapPeriod
from smartcharge.store.control import load_state, save_manual_override, save_pause
from smartcharge.store.events import Event, EventDetail
from smartcharge.store.journal import append_journal
from smartcharge.store.outbox import queue_message
from smartcharge.store.services import count_alert_failure, record_service_failure

POLICY = Policy(CheapPeriod(time(0), time(6), "Europe/London"))
ROUNDS = int(os.environ.get("DAMAGE_ROUNDS", "12"))
DOCUMENTED_EXIT_CODES = {0, 3, 4, 5, 6, 75}
COMMANDS = (
    ("status",),
    ("status", "--json"),
    ("history", "--since", "2026-12-01"),
    ("history", "--since", "2026-12-01", "--json"),
    ("explain",),
    ("explain", "13:05"),
    ("explain", "2026-12-08T13:30"),
    ("replay", "today"),
    ("replay", "2026-12-08", "--set", "extension=false"),
    ("report",),
    ("report", "--month", "this"),
    ("report", "--html", "-"),
    ("metrics",),
    ("agreement",),
    ("doctor", "--offline"),
    ("doctor", "--bundle", "BUNDLE"),
    ("midnight-reset",),
    ("resume",),
    ("doctor", "--repair"),
    ("status",),
)
"""Those that ask nobody, the reading ones first; the last looks at what a repair has left."""


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with rows in every table."""
    house = make_stored_house(tmp_path_factory.mktemp("original"))
    with house.writing() as db:
        fill_ordinary_day(db)
        store_open_hold(db)
        for n in range(60):
            moment = NOW - timedelta(minutes=n)
            state = load_state(db, moment, POLICY)
            append_journal(db, at=moment, command="reconcile", state=state, outcome=Event.DECIDED)
            detail = EventDetail(mode="backup", reserve_pct=100, until=NOW)
            append_journal(db, at=moment, command="reconcile", outcome=Event.CONFIRMED, detail=detail)
        save_pause(db, NOW, NOW + timedelta(hours=1))
        save_manual_override(db, NOW, NOW + timedelta(hours=1))
        count_alert_failure(db, "reconcile", "tesla", NOW)
        record_service_failure(db, "tesla", NOW, "no answer", None)
        queue_message(db, "an event", b"words", "owner@example.com", NOW)
    return house.database


def damaged_copy(original: Path, folder: Path, seed: int) -> StoredHouse:
    """A house whose database has one to eight bytes changed, the header of the file left as it is."""
    house = StoredHouse(folder)
    house.configure()
    shutil.copyfile(original, house.database)
    chance = random.Random(seed)  # noqa: S311  # repeatable, not secret
    content = bytearray(house.database.read_bytes())
    for _ in range(chance.randint(1, 8)):
        content[chance.randrange(100, len(content))] ^= chance.randint(1, 255)
    house.database.write_bytes(content)
    return house


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_every_command_ends_as_documented(original: Path, tmp_path: Path, seed: int) -> None:
    house = damaged_copy(original, tmp_path, seed)

    for command in COMMANDS:
        arguments = [str(tmp_path / "bundle.txt") if word == "BUNDLE" else word for word in command]
        result = house.run(*arguments)
        assert result.exit_code in DOCUMENTED_EXIT_CODES, (command, result)
        assert "Traceback" not in result.stdout + result.stderr, (command, result)
