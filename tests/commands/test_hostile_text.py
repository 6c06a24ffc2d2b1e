"""What servers say cannot begin a line, colour a terminal, or end a run: on no screen, in no list, in no journal."""

import json
from datetime import datetime
from pathlib import Path

import pytest
from simulation import Simulation

from smartcharge.simulator.http_messages import HttpReply, HttpRequest

EVIL = "\x1b[2J\x9b31mX\r\nSubject: Y\u202e\u2028\ud800\x00"
"""It clears a terminal, begins lines, turns the direction of reading, and is no text that a file could hold."""
NAMES = {"site_name", "version", "island_status", "resource_name"}


def spoilt(value: object) -> object:
    """The same answer with what is free to say replaced."""
    if isinstance(value, dict):
        return {key: EVIL if key in NAMES else spoilt(each) for key, each in value.items()}
    return [spoilt(each) for each in value] if isinstance(value, list) else value


@pytest.fixture
def hostile(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> Simulation:
    """A street whose servers say evil things wherever they may say anything."""
    answer, charger = simulation.simulator.tesla.answer, simulation.simulator.myenergi.zappis[0]

    def evil(asked: HttpRequest, now: datetime) -> HttpReply:
        reply = answer(asked, now)
        return HttpReply(
            reply.status, json.dumps(spoilt(json.loads(reply.body))).encode(), reply.headers, reply.delivery
        )

    monkeypatch.setattr(simulation.simulator.tesla, "answer", evil)
    monkeypatch.setattr(charger, "serial", EVIL)
    simulation.plan("13:00-14:30")
    plans = simulation.simulator.account.plans[simulation.simulator.house.device_id]
    assert plans is not None
    plans.append({"start": EVIL, "end": EVIL, "type": EVIL, "energyAddedKwh": EVIL})
    plans.append({**plans[0], "type": EVIL})
    simulation.drive(7200)
    return simulation


SHOWN = (
    ("-v", "tick"), ("status",), ("status", "--json"), ("history",), ("history", "--json"), ("history", "--csv"),
    ("doctor",), ("doctor", "--json"), ("-v", "reconcile"),
)  # fmt: skip


def test_no_evil_word_reaches_a_screen_a_list_or_a_mail(hostile: Simulation) -> None:
    clock, said = 5, ""
    for command in SHOWN:
        outcome = hostile.run(f"13:{clock:02}", *command)
        clock += 1
        assert outcome.exit_code == 0, (command, outcome)
        said += outcome.stdout + outcome.stderr

    assert "Powerwall charging from the grid" in said
    assert [sign for sign in set(said) if not sign.isprintable() and sign not in "\r\n"] == []
    assert "\nSubject:" not in said
    mails = b"".join(mail.raw for mail in hostile.simulator.mails)
    assert mails
    assert not {byte for byte in mails if byte < 0x20} - set(b"\r\n\t")


def test_the_database_s_file_holds_none_of_it(hostile: Simulation) -> None:
    hostile.run("13:05", "tick")

    content = Path(hostile.folder / "smartcharge.db").read_bytes()
    assert b"\x1b[" not in content
    assert b"Subject: Y" not in content
