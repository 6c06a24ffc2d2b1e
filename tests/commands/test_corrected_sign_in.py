"""A sign-in that was refused, and whose credentials were mended since, is no longer the owner's business."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from stored_house import CONFIG_TEXT, NOW, StoredHouse, make_stored_house, record_refused_sign_in

MENDED = {
    "kraken": ("a word to hide", "another word"),
    "zappi": ("not-a-real-one", "a-new-one"),
    "mail": ("abcd efgh ijkl mnop", "ponm lkji hgfe dcba"),
}


@pytest.fixture
def memory(tmp_path: Path) -> StoredHouse:
    return make_stored_house(tmp_path)


def refused(memory: StoredHouse) -> list[str]:
    """The services that status says refuse the sign-in."""
    found: list[str] = json.loads(memory.run("status", "--json").stdout)["refused_sign_ins"]
    return found


@pytest.mark.parametrize("service", MENDED)
def test_new_credentials_take_a_refusal_off_the_screen_before_they_are_tried(memory: StoredHouse, service: str) -> None:
    with memory.writing() as db:
        record_refused_sign_in(db, service, NOW)
    assert refused(memory) == [service]
    assert "\nproblem" in memory.run("status").stdout

    memory.configure(CONFIG_TEXT.replace(*MENDED[service]))

    assert refused(memory) == []
    assert "\nproblem" not in memory.run("status").stdout


def test_a_new_sign_in_to_tesla_does_so_too(memory: StoredHouse) -> None:
    with memory.writing() as db:
        record_refused_sign_in(db, "tesla", NOW)
    assert refused(memory) == ["tesla"]

    (memory.folder / ".pypowerwall.auth").write_text("{}")

    assert refused(memory) == []


def test_a_supplier_whose_refusal_was_mended_should_be_asked_again(memory: StoredHouse) -> None:
    """Otherwise a crontab that has gone would hide behind it."""
    with memory.writing() as db:
        record_refused_sign_in(db, "kraken", NOW)
    later = NOW + timedelta(hours=2)
    assert "has not run" not in memory.run("status", at=later).stdout

    memory.configure(CONFIG_TEXT.replace(*MENDED["kraken"]))

    assert "has not run" in memory.run("status", at=later).stdout
