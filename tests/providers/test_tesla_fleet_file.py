"""The file with the Fleet API's application and tokens: what is accepted, mended, kept and refused."""

import base64
import errno
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tesla_token_files import DAMAGED_FILES, read_token_file, write_token_file

from smartcharge.errors import AppError, ConfigurationError, SignInRefusedError, UnreachableError
from smartcharge.providers.tesla.tokens import (
    FLEET_AUTH_FILE,
    FLEET_URL_EUROPE,
    back_up_fleet_tokens,
    check_fleet_token_file,
)

NOW = datetime(2026, 12, 9, 12, 0, tzinfo=UTC)
GOOD_FILE = f"{FLEET_AUTH_FILE}.good"


def jwt(ends_at: datetime) -> str:
    """An access token that is good until then."""
    claims = base64.urlsafe_b64encode(json.dumps({"exp": int(ends_at.timestamp())}).encode()).rstrip(b"=").decode()
    return f"eyJhbGciOiJSUzI1NiJ9.{claims}.c2lnbmF0dXJl"


GOOD: dict[str, Any] = {
    "CLIENT_ID": "an-application",
    "CLIENT_SECRET": "a-word",
    "AUDIENCE": FLEET_URL_EUROPE,
    "access_token": "first-access-token",
    "refresh_token": "first-refresh-token",
    "site_id": 2252000001,
}
RENEWED = GOOD | {"access_token": "second-access-token", "refresh_token": "second-refresh-token"}


def refusal(folder: Path, content: object = None) -> AppError:
    """How the check refuses, without telling a secret."""
    if content is not None:
        write_token_file(folder, content, FLEET_AUTH_FILE)
    with pytest.raises(AppError) as raised:
        check_fleet_token_file(folder)
    assert not any(str(GOOD[key]) in str(raised.value) for key in ("CLIENT_SECRET", "access_token", "refresh_token"))
    return raised.value


@pytest.mark.parametrize(
    ("found", "site_id"),
    [(2252000001, 2252000001), ("2252000001", 2252000001), (None, None), ("", None)],
    ids=["a number", "a number written as text", "none", "an empty one"],
)
def test_a_good_file_passes_and_tells_its_site(tmp_path: Path, found: object, site_id: int | None) -> None:
    write_token_file(tmp_path, GOOD | {"site_id": found}, FLEET_AUTH_FILE)

    assert check_fleet_token_file(tmp_path) == site_id


def test_a_file_with_a_refresh_token_alone_passes(tmp_path: Path) -> None:
    write_token_file(tmp_path, GOOD | {"access_token": ""}, FLEET_AUTH_FILE)

    assert check_fleet_token_file(tmp_path) == GOOD["site_id"]


def test_a_missing_file_names_the_command_that_makes_one(tmp_path: Path) -> None:
    trouble = refusal(tmp_path)

    assert isinstance(trouble, SignInRefusedError)
    assert f"python -m pypowerwall setup -fleetapi -authpath {tmp_path}" in str(trouble)


@pytest.mark.parametrize("content", DAMAGED_FILES.values(), ids=DAMAGED_FILES)
def test_a_damaged_file_is_replaced_by_its_last_good_copy(tmp_path: Path, content: str) -> None:
    assert "damaged" in str(refusal(tmp_path, content))
    write_token_file(tmp_path, GOOD, GOOD_FILE)

    check_fleet_token_file(tmp_path)

    assert read_token_file(tmp_path, FLEET_AUTH_FILE) == GOOD
    assert (tmp_path / FLEET_AUTH_FILE).stat().st_mode & 0o777 == 0o600


UNFIT = {
    "no application": ("CLIENT_ID", ""),
    "an application that is no text": ("CLIENT_ID", 7),
    "no server": ("AUDIENCE", None),
    "a region's name": ("AUDIENCE", "Europe, Middle East, Africa"),
    "a server in plain text": ("AUDIENCE", "http://fleet-api.prd.eu.vn.cloud.tesla.com"),
    "a server with a slash behind": ("AUDIENCE", f"{FLEET_URL_EUROPE}/"),
    "a site's name": ("site_id", "Home"),
    "a site that is true": ("site_id", True),
}


@pytest.mark.parametrize(("key", "value"), UNFIT.values(), ids=UNFIT)
def test_an_unfit_value_is_named_with_its_file(tmp_path: Path, key: str, value: object) -> None:
    trouble = refusal(tmp_path, GOOD | {key: value})

    assert isinstance(trouble, ConfigurationError)
    assert f"{tmp_path / FLEET_AUTH_FILE}: {key} " in str(trouble)


@pytest.mark.parametrize("key", ["access_token", "refresh_token"])
@pytest.mark.parametrize("value", [None, 7, "two words", "a\nline"])
def test_a_token_that_cannot_stand_in_a_header_asks_for_a_sign_in(tmp_path: Path, key: str, value: object) -> None:
    assert isinstance(refusal(tmp_path, GOOD | {key: value}), SignInRefusedError)


def test_a_full_disk_refuses_unless_the_access_token_lasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    write_token_file(tmp_path, GOOD | {"access_token": jwt(NOW + timedelta(hours=1))}, FLEET_AUTH_FILE)

    check_fleet_token_file(tmp_path, NOW)

    with pytest.raises(UnreachableError, match="full"):
        check_fleet_token_file(tmp_path, NOW + timedelta(minutes=55))


# -- after a conversation ---------------------------------------------------------------------------


def test_a_good_file_is_made_private_and_copied(tmp_path: Path) -> None:
    write_token_file(tmp_path, GOOD, FLEET_AUTH_FILE).chmod(0o644)

    back_up_fleet_tokens(tmp_path, {})

    assert read_token_file(tmp_path, GOOD_FILE) == GOOD
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in (FLEET_AUTH_FILE, GOOD_FILE)} == {0o600}


def test_a_file_that_broke_is_written_anew_from_memory(tmp_path: Path) -> None:
    write_token_file(tmp_path, "", FLEET_AUTH_FILE)
    write_token_file(tmp_path, GOOD, GOOD_FILE)

    back_up_fleet_tokens(tmp_path, RENEWED)

    assert read_token_file(tmp_path, FLEET_AUTH_FILE) == {"DOMAIN": None, "REDIRECT_URI": None} | RENEWED | {
        "partner_token": None,
        "partner_account": None,
    }
    assert read_token_file(tmp_path, GOOD_FILE)["refresh_token"] == "second-refresh-token"


def test_a_file_that_broke_while_nothing_is_in_memory_is_replaced_by_its_copy(tmp_path: Path) -> None:
    write_token_file(tmp_path, "", FLEET_AUTH_FILE)
    write_token_file(tmp_path, GOOD, GOOD_FILE)

    back_up_fleet_tokens(tmp_path, {})

    assert read_token_file(tmp_path, FLEET_AUTH_FILE) == GOOD


def test_a_disk_that_takes_nothing_gets_the_copy_by_its_name_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_token_file(tmp_path, "", FLEET_AUTH_FILE)
    write_token_file(tmp_path, GOOD, GOOD_FILE)

    def full(*_args: object, **_named: object) -> None:
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr("tempfile.mkstemp", full)
    with pytest.raises(UnreachableError, match="no room"):
        back_up_fleet_tokens(tmp_path, RENEWED)

    assert read_token_file(tmp_path, FLEET_AUTH_FILE) == GOOD
