"""The support bundle: readable, private, complete, and without anything that opens a door, wherever it was planted."""

import json
import re
import tomllib
from base64 import b64encode
from pathlib import Path
from stat import S_IMODE
from urllib.parse import quote

import pytest
import yaml
from stored_house import (
    MINUTE,
    NOW,
    StoredHouse,
    make_stored_house,
    store_charger_reading,
    store_journal_entry,
    store_open_hold,
)

from smartcharge.doctor.bundle import REPORTED_LIBRARIES
from smartcharge.doctor.redact import make_redactor
from smartcharge.policy.model import ChargerState
from smartcharge.store.database import StoreConnection
from smartcharge.store.devices import record_plan_fetch
from smartcharge.store.services import count_alert_failure, record_service_failure, save_service_host

PLANTED = {
    "eon_next": {
        "email": "kraken.owner@house.example",
        "password": "Kr4ken pass phrase",
        "import_account": "A-9F8E7D6C",
        "device_id": "device-of-mine-77",
        "auth_client_id": "client-id-of-mine",
        "auth_url": "https://signin.house.example/path",
        "api_key": "sk_live_octopus",
    },
    "myenergi": {"hub_serial": "19283746", "api_key": "hubk3y", "zappi_serial": "15150042"},
    "tesla": {
        "account_email": "tesla.owner@house.example",
        "account_password": "t3sl4",
        "energy_site_id": "1688123456789",
        "gateway_host": "gateway.house.example",
        "gateway_password": "ABCDE",
    },
    "gcal": {
        "smtp_user": "sender@house.example",
        "smtp_pass": "qwer tyui opas dfgh",
        "invite_to": "calendar@house.example",
    },
    "alerts": {
        "healthchecks_url": "https://hc-ping.example/11112222-3333-4444-5555-666677778888",
        "email": "me@house.example",
    },
    "database": {"path": "smartcharge.db"},
}  # fmt: skip
SECRETS = [str(value) for keys in PLANTED.values() for key, value in keys.items() if key != "path"]
TOKENS = {
    ".kraken.json": {
        "kind": "kraken",
        "supplier": "eon-next",
        "token": "krakentokenkraken",
        "refresh_token": "0f" * 32,
    },
    ".pypowerwall.auth": {
        "tesla.owner@house.example": {"sso": {"access_token": "qts-plainword", "refresh_token": "R" * 40}}
    },
}
FORGOTTEN = {
    "an address": "old.owner@elsewhere.example",
    "an account number": "A-1A2B3C4D",
    "a JSON web token": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "a bearer token": "Bearer abcdefgh",
    "a refresh token": "v1.Mabc-DEFghiJKLmno1234567890pqrst",
    "a named password": "password=hunter2",
    "a named key in JSON": '"api_key": "tiny"',
    "an address with a password": "https://joe:geheim@proxy.example:8080/",
    "a hub": "20304050",
    "a gateway": "1707000-11-J--TG123456789ABC",
    "a serial": "TG120110000XYZ",
    "a site": "2252147638651",
}
LOOSE = {"a bearer token": "abcdefgh", "a named password": "hunter2", "a named key in JSON": "tiny",
         "an address with a password": "geheim"}  # fmt: skip
"""What of it opens a door, where the rest is only its name."""


@pytest.fixture
def memory(tmp_path: Path) -> StoredHouse:
    memory = make_stored_house(tmp_path)
    memory.configure(yaml.safe_dump(PLANTED))
    for name, content in TOKENS.items():
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
        (tmp_path / name).chmod(0o600)
    (tmp_path / ".pypowerwall.site").write_text("1688123456789\n", encoding="utf-8")
    return memory


def bundle(memory: StoredHouse) -> str:
    file = memory.folder / "bundle.txt"
    outcome = memory.run("doctor", "--bundle", str(file))
    assert outcome.stdout == f"Written to {file}. Read it before you give it to anyone.\n"
    assert outcome.stderr == ""
    return file.read_text(encoding="utf-8")


def plant(db: StoreConnection, text: str) -> None:
    """Put a text wherever the memory keeps words from outside."""
    store_journal_entry(db, "reconcile", "trouble", detail=f"it said {text}", error=f"error: {text}, and went")
    record_service_failure(db, "tesla", NOW - MINUTE, f"HTTP 400 {text}", None)
    save_service_host(db, "zappi", f"s18.myenergi.net/{text}")
    record_plan_fetch(db, f"car {text}", NOW - MINUTE, ok=False, error=text)
    count_alert_failure(db, "reconcile", f"tesla {text}", NOW - MINUTE)


def spellings(secret: str) -> set[str]:
    forms = {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], "".join(secret.split()), secret.upper()}
    return {*forms, b64encode(secret.encode()).decode().rstrip("=")}


def test_no_planted_secret_is_told_in_any_spelling(memory: StoredHouse) -> None:
    tokens = ["krakentokenkraken", "0f" * 32, "qts-plainword", "R" * 40]
    planted = {form for secret in (*SECRETS, *tokens) for form in spellings(secret)}
    with memory.writing() as db:
        for text in sorted(planted):
            plant(db, text)

    told = bundle(memory).casefold()

    assert sorted(text for text in planted if text.casefold() in told) == []


@pytest.mark.parametrize("name", FORGOTTEN)
def test_what_is_configured_no_more_is_known_by_its_look(name: str) -> None:
    told = make_redactor(())(f"it said {FORGOTTEN[name]}, and went")

    assert LOOSE.get(name, FORGOTTEN[name]) not in told
    assert (told.startswith("it said "), told.endswith(", and went")) == (True, True)


def test_serials_that_were_measured_are_struck_out(memory: StoredHouse) -> None:
    with memory.writing() as db:
        store_charger_reading(db, ChargerState.IDLE, 0)
        db.execute("UPDATE readings SET serials = 'ab12'")
        store_journal_entry(db, "reconcile", "trouble", error="the Zappi ab12 is silent")

    assert "the Zappi *** is silent" in bundle(memory)


def test_every_setting_is_told_as_set_or_not_or_with_a_harmless_value(memory: StoredHouse) -> None:
    settings = dict(re.findall(r"^(\w+\.\w+) +(.*)$", bundle(memory), re.MULTILINE))

    assert settings["eon_next.password"] == settings["tesla.energy_site_id"] == "is set"
    assert settings["myenergi.hub_serial"] == settings["gcal.invite_to"] == "is set"
    assert settings["tesla.rsa_key_path"] == settings["control.max_hours_per_day"] == "is not set"
    assert settings["eon_next.supplier"] == "eon-next"
    assert settings["control.default_reserve_pct"] == "20"
    assert settings["control.cheap_period"] == "00:00:00 to 06:00:00"


def test_all_that_helps_is_told(memory: StoredHouse) -> None:
    with memory.writing() as db:
        store_open_hold(db)
        record_service_failure(db, "kraken", NOW - MINUTE, "it could not be reached", None)
        count_alert_failure(db, "fetch-dispatches", "kraken", NOW - MINUTE)
        for number in range(250):
            store_journal_entry(db, "reconcile", "changed", f"dance {number}", at=NOW - 300 * MINUTE)

    told = bundle(memory)

    titles = re.findall(r"^== (.*)$", told, re.MULTILINE)
    assert titles[:4] == ["versions", "configuration", "the doctor", "database"]
    assert {"alerts", "services", "devices", "battery", "owner", "holds", "journal"} == set(titles[4:])
    assert re.search(r"^smartcharge 20\d\d\.\d+\.\d+$", told, re.MULTILINE)
    assert re.search(r"^pypowerwall \d", told, re.MULTILINE)
    assert re.search(r"^SQLite 3\.", told, re.MULTILINE)
    assert re.search(r"^schema +version \d+$", told, re.MULTILINE)
    assert re.search(r"^journal +251 rows$", told, re.MULTILINE)
    assert "warning  runs, fetch-dispatches: there has been a problem with E.ON Next" in told
    assert "last_error it could not be reached" in told
    assert "kind WINDOW | because CHARGING_IN_WINDOW" in told
    assert "dance 249" in told
    assert told.count("outcome changed") == 200
    assert '"windows"' not in told


def test_the_file_is_the_owner_s_alone_and_replaces_only_its_like(memory: StoredHouse) -> None:
    bundle(memory)
    bundle(memory)
    file, other = memory.folder / "bundle.txt", memory.folder / "notes.txt"
    other.write_text("milk, bread", encoding="utf-8")

    outcome = memory.run("doctor", "--bundle", str(other))

    assert S_IMODE(file.stat().st_mode) == 0o600
    assert outcome.exit_code == 4
    assert other.read_text(encoding="utf-8") == "milk, bread"
    assert [path.name for path in memory.folder.iterdir() if "bundle" in path.name] == ["bundle.txt"]


def test_a_broken_database_still_gives_a_bundle(memory: StoredHouse) -> None:
    memory.database.write_text("a shopping list\n" * 100)
    file = memory.folder / "bundle.txt"

    outcome = memory.run("doctor", "--bundle", str(file))

    assert outcome.exit_code == 4
    assert "error    database, opens: the database" in file.read_text(encoding="utf-8")


def test_a_configuration_that_does_not_load_is_not_quoted(memory: StoredHouse) -> None:
    memory.configure("eon_next: {import_account: A-12345678}\nmyenergi: {hub_serial: my own password, api_key: k}\n")
    file = memory.folder / "bundle.txt"

    outcome = memory.run("doctor", "--bundle", str(file))

    told = file.read_text(encoding="utf-8")
    assert outcome.exit_code == 4
    assert "myenergi.hub_serial in config.yaml" in told
    assert "my own password" not in told


def test_every_library_that_the_program_needs_is_named() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {re.split(r"[<>=]", each)[0] for each in project["dependencies"]} <= set(REPORTED_LIBRARIES)
