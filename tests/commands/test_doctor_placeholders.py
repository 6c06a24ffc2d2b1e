"""Values that stand in the example, and that nobody has put his own in place of, are named by the doctor."""

import json
from pathlib import Path

import pytest
from source_tree import ROOT
from stored_house import CONFIG_TEXT, StoredHouse, make_stored_house

EARLIER = """
eon_next: {email: "you@example.com", password: "your-eon-password", import_account: "A-XXXXXXXX"}
myenergi: {hub_serial: "12345678", api_key: "abcdef12"}
tesla: {account_email: "you@tesla.com"}
gcal: {smtp_user: "sender@gmail.com", smtp_pass: "xxxx xxxx xxxx xxxx", invite_to: "your-calendar@gmail.com"}
database: {path: smartcharge.db}
"""
"""What the earlier service's example said."""


@pytest.fixture
def memory(tmp_path: Path) -> StoredHouse:
    return make_stored_house(tmp_path)


def named(memory: StoredHouse) -> tuple[set[str], int]:
    """The keys that the doctor names as placeholders, and his exit code."""
    outcome = memory.run("doctor", "--offline", "--json")
    found = [each for each in json.loads(outcome.stdout)["checks"] if each["check"] == "placeholder"]
    assert all(each["verdict"] == "error" and each["mend"] for each in found)
    return {each["says"].removesuffix(" still has the value of the example") for each in found}, outcome.exit_code


def test_the_example_as_it_is_shipped_is_not_yet_a_house_s(memory: StoredHouse) -> None:
    memory.configure((ROOT / "config.example.yaml").read_text(encoding="utf-8"))

    assert named(memory) == ({"eon_next.import_account", "myenergi.api_key"}, 4)


def test_every_placeholder_of_an_earlier_example_is_named(memory: StoredHouse) -> None:
    memory.configure(EARLIER)

    keys, code = named(memory)

    assert keys == {
        *("eon_next.email", "eon_next.password", "eon_next.import_account", "myenergi.api_key"),
        *("tesla.account_email", "gcal.smtp_user", "gcal.smtp_pass", "gcal.invite_to"),
    }
    assert code == 4


def test_three_dots_are_no_password(memory: StoredHouse) -> None:
    memory.configure(CONFIG_TEXT.replace("a word to hide", "..."))

    assert named(memory)[0] == {"eon_next.password"}


def test_a_house_of_one_s_own_has_none(memory: StoredHouse) -> None:
    assert named(memory)[0] == set()
