"""The file with the Tesla sign-in: what is accepted, mended, kept and refused."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from tokens_case import DAMAGED, EMAIL, GOOD, RENEWED, SECRETS, sign_in, stored, write

from smartcharge.adapters._powerwall_tokens import AUTH_FILE, GOOD_FILE, check, keep_good
from smartcharge.errors import ConfigurationRefused, SignInRefused, Unreachable

NOBODY = 65534


def refusal(folder: Path, email: str = EMAIL) -> SignInRefused:
    """How the check refuses."""
    with pytest.raises(SignInRefused) as raised:
        check(folder, email)
    assert not any(secret in str(raised.value) for secret in SECRETS)
    return raised.value


# -- before a conversation --------------------------------------------------------------------------


def test_a_good_file_passes(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    before = path.read_bytes()

    check(tmp_path, EMAIL)

    assert path.read_bytes() == before


@pytest.mark.parametrize(("access", "refresh"), [("", SECRETS[1]), (SECRETS[0], None)], ids=["refresh", "access"])
def test_one_of_the_two_tokens_passes(tmp_path: Path, access: object, refresh: object) -> None:
    write(tmp_path, {EMAIL: sign_in(access, refresh)})

    check(tmp_path, EMAIL)

    assert stored(tmp_path)[EMAIL]["sso"]["access_token"] == access


def test_a_missing_file_asks_for_a_sign_in(tmp_path: Path) -> None:
    assert "smartcharge login tesla" in str(refusal(tmp_path))


def test_a_missing_folder_asks_for_a_sign_in(tmp_path: Path) -> None:
    assert "smartcharge login tesla" in str(refusal(tmp_path / "nowhere"))


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_without_a_copy_asks_for_a_sign_in(tmp_path: Path, content: str) -> None:
    write(tmp_path, content)

    assert "damaged" in str(refusal(tmp_path))


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_replaced_by_its_last_good_copy(tmp_path: Path, content: str) -> None:
    path = write(tmp_path, content)
    write(tmp_path, GOOD, GOOD_FILE)

    check(tmp_path, EMAIL)

    assert stored(tmp_path) == GOOD
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("copy", ["", {"other@example.com": sign_in()}], ids=["damaged", "somebody else's"])
def test_a_copy_that_is_of_no_use_is_not_put_back(tmp_path: Path, copy: object) -> None:
    path = write(tmp_path, "")
    write(tmp_path, copy, GOOD_FILE)

    assert "damaged" in str(refusal(tmp_path))
    assert path.read_text() == ""


def test_another_address_is_told_with_the_one_expected(tmp_path: Path) -> None:
    write(tmp_path, {"other@example.com": sign_in()})

    told = str(refusal(tmp_path))

    assert "1 other sign-in(s) and none for owner@example.com" in told
    assert "other@example.com" not in told


def test_another_address_is_not_overwritten_by_a_copy(tmp_path: Path) -> None:
    write(tmp_path, {"other@example.com": sign_in()})
    write(tmp_path, GOOD, GOOD_FILE)

    refusal(tmp_path)

    assert list(stored(tmp_path)) == ["other@example.com"]


NO_TOKENS = {
    "logged out": {"url": "https://auth.tesla.com/", "sso": {}},
    "empty tokens": sign_in("", ""),
    "tokens that are no text": sign_in(1, 2),
    "a sentence in place of a token": sign_in("", "paste it here"),
    "no time of expiry": sign_in(expires_at=None),
    "an address that is no text": sign_in() | {"url": 7},
    "null": None,
}


@pytest.mark.parametrize("entry", NO_TOKENS.values(), ids=NO_TOKENS)
def test_an_entry_the_library_would_stumble_over_asks_for_a_sign_in(tmp_path: Path, entry: object) -> None:
    write(tmp_path, {EMAIL: entry})

    assert "no tokens" in str(refusal(tmp_path))


def test_a_full_disk_is_an_outage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, GOOD)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=60_000))

    with pytest.raises(Unreachable, match="full"):
        check(tmp_path, EMAIL)


@pytest.fixture
def foreign_folder() -> Iterator[Path]:
    """A folder of the superuser's that an ordinary user can look into."""
    if os.geteuid() != 0:
        pytest.skip("only the superuser can become somebody else")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.mark.parametrize(("folder_mode", "file_mode"), [(0o755, 0o666), (0o777, 0o644)], ids=["folder", "file"])
def test_what_may_not_be_written_is_a_matter_of_configuration(
    foreign_folder: Path, folder_mode: int, file_mode: int
) -> None:
    write(foreign_folder, GOOD).chmod(file_mode)
    foreign_folder.chmod(folder_mode)

    os.seteuid(NOBODY)
    try:
        with pytest.raises(ConfigurationRefused, match="may not be written"):
            check(foreign_folder, EMAIL)
    finally:
        os.seteuid(0)


# -- after a conversation ---------------------------------------------------------------------------


def test_a_good_file_is_made_private_and_copied(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    path.chmod(0o640)

    keep_good(tmp_path, EMAIL)

    assert stored(tmp_path, GOOD_FILE) == GOOD
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in (AUTH_FILE, GOOD_FILE)] == [0o600, 0o600]


def test_a_renewed_sign_in_replaces_the_copy(tmp_path: Path) -> None:
    write(tmp_path, RENEWED)
    write(tmp_path, GOOD, GOOD_FILE)

    keep_good(tmp_path, EMAIL)

    assert stored(tmp_path, GOOD_FILE) == RENEWED


def test_an_unchanged_sign_in_writes_nothing(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    keep_good(tmp_path, EMAIL)
    before = (tmp_path / GOOD_FILE).stat()

    keep_good(tmp_path, EMAIL)

    after = (tmp_path / GOOD_FILE).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_file_broken_meanwhile_is_replaced_by_its_copy(tmp_path: Path, content: str) -> None:
    write(tmp_path, content)
    write(tmp_path, GOOD, GOOD_FILE)

    keep_good(tmp_path, EMAIL)

    assert stored(tmp_path) == GOOD


def test_tokens_in_memory_outrank_an_older_copy(tmp_path: Path) -> None:
    write(tmp_path, "")
    write(tmp_path, GOOD, GOOD_FILE)

    keep_good(tmp_path, EMAIL, RENEWED[EMAIL]["sso"])

    assert stored(tmp_path) == stored(tmp_path, GOOD_FILE) == RENEWED


def test_tokens_in_memory_do_not_outrank_a_good_file(tmp_path: Path) -> None:
    write(tmp_path, RENEWED)

    keep_good(tmp_path, EMAIL, GOOD[EMAIL]["sso"])

    assert stored(tmp_path) == RENEWED


def test_a_copy_never_replaces_a_newer_good_file(tmp_path: Path) -> None:
    write(tmp_path, RENEWED)
    write(tmp_path, GOOD, GOOD_FILE)

    check(tmp_path, EMAIL)
    keep_good(tmp_path, EMAIL)

    assert stored(tmp_path) == RENEWED


def test_a_file_without_our_sign_in_is_not_copied(tmp_path: Path) -> None:
    write(tmp_path, {"other@example.com": sign_in()})
    write(tmp_path, GOOD, GOOD_FILE)

    keep_good(tmp_path, EMAIL)

    assert stored(tmp_path, GOOD_FILE) == GOOD


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="could not be stored"):
        keep_good(tmp_path / "gone", EMAIL, GOOD[EMAIL]["sso"])
