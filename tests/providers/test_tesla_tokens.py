"""The file with the Tesla sign-in: what is accepted, mended, kept and refused."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from tesla_token_files import (
    DAMAGED_FILES,
    EMAIL,
    GOOD_TOKENS,
    RENEWED_TOKENS,
    SECRETS,
    read_token_file,
    token_entry,
    write_token_file,
)

from smartcharge.errors import ConfigurationError, SignInRefusedError, UnreachableError
from smartcharge.providers.tesla.tokens import (
    CLOUD_AUTH_FILE,
    CLOUD_AUTH_FILE_COPY,
    back_up_cloud_tokens,
    check_cloud_token_file,
)

NOBODY = 65534


def refusal(folder: Path, email: str = EMAIL) -> SignInRefusedError:
    """How the check refuses."""
    with pytest.raises(SignInRefusedError) as raised:
        check_cloud_token_file(folder, email)
    assert not any(secret in str(raised.value) for secret in SECRETS)
    return raised.value


# -- before a conversation --------------------------------------------------------------------------


def test_a_good_file_passes(tmp_path: Path) -> None:
    path = write_token_file(tmp_path, GOOD_TOKENS)
    before = path.read_bytes()

    check_cloud_token_file(tmp_path, EMAIL)

    assert path.read_bytes() == before


@pytest.mark.parametrize(("access", "refresh"), [("", SECRETS[1]), (SECRETS[0], None)], ids=["refresh", "access"])
def test_one_of_the_two_tokens_passes(tmp_path: Path, access: object, refresh: object) -> None:
    write_token_file(tmp_path, {EMAIL: token_entry(access, refresh)})

    check_cloud_token_file(tmp_path, EMAIL)

    assert read_token_file(tmp_path)[EMAIL]["sso"]["access_token"] == access


def test_a_missing_file_asks_for_a_sign_in(tmp_path: Path) -> None:
    assert "smartcharge login tesla" in str(refusal(tmp_path))


def test_a_missing_folder_asks_for_a_sign_in(tmp_path: Path) -> None:
    assert "smartcharge login tesla" in str(refusal(tmp_path / "nowhere"))


@pytest.mark.parametrize("content", DAMAGED_FILES.values(), ids=DAMAGED_FILES)
def test_a_damaged_file_without_a_copy_asks_for_a_sign_in(tmp_path: Path, content: str) -> None:
    write_token_file(tmp_path, content)

    assert "damaged" in str(refusal(tmp_path))


@pytest.mark.parametrize("content", DAMAGED_FILES.values(), ids=DAMAGED_FILES)
def test_a_damaged_file_is_replaced_by_its_last_good_copy(tmp_path: Path, content: str) -> None:
    path = write_token_file(tmp_path, content)
    write_token_file(tmp_path, GOOD_TOKENS, CLOUD_AUTH_FILE_COPY)

    check_cloud_token_file(tmp_path, EMAIL)

    assert read_token_file(tmp_path) == GOOD_TOKENS
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("copy", ["", {"other@example.com": token_entry()}], ids=["damaged", "somebody else's"])
def test_a_copy_that_is_of_no_use_is_not_put_back(tmp_path: Path, copy: object) -> None:
    path = write_token_file(tmp_path, "")
    write_token_file(tmp_path, copy, CLOUD_AUTH_FILE_COPY)

    assert "damaged" in str(refusal(tmp_path))
    assert path.read_text() == ""


def test_another_address_is_told_with_the_one_expected(tmp_path: Path) -> None:
    write_token_file(tmp_path, {"other@example.com": token_entry()})

    told = str(refusal(tmp_path))

    assert "1 other sign-in(s) and none for owner@example.com" in told
    assert "other@example.com" not in told


def test_another_address_is_not_overwritten_by_a_copy(tmp_path: Path) -> None:
    write_token_file(tmp_path, {"other@example.com": token_entry()})
    write_token_file(tmp_path, GOOD_TOKENS, CLOUD_AUTH_FILE_COPY)

    refusal(tmp_path)

    assert list(read_token_file(tmp_path)) == ["other@example.com"]


NO_TOKENS = {
    "logged out": {"url": "https://auth.tesla.com/", "sso": {}},
    "empty tokens": token_entry("", ""),
    "tokens that are no text": token_entry(1, 2),
    "a sentence in place of a token": token_entry("", "paste it here"),
    "no time of expiry": token_entry(expires_at=None),
    "an address that is no text": token_entry() | {"url": 7},
    "null": None,
}


@pytest.mark.parametrize("entry", NO_TOKENS.values(), ids=NO_TOKENS)
def test_an_entry_the_library_would_stumble_over_asks_for_a_sign_in(tmp_path: Path, entry: object) -> None:
    write_token_file(tmp_path, {EMAIL: entry})

    assert "no tokens" in str(refusal(tmp_path))


def test_a_full_disk_is_an_outage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_token_file(tmp_path, GOOD_TOKENS)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=60_000))

    with pytest.raises(UnreachableError, match="full"):
        check_cloud_token_file(tmp_path, EMAIL)


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
    write_token_file(foreign_folder, GOOD_TOKENS).chmod(file_mode)
    foreign_folder.chmod(folder_mode)

    os.seteuid(NOBODY)
    try:
        with pytest.raises(ConfigurationError, match="may not be written"):
            check_cloud_token_file(foreign_folder, EMAIL)
    finally:
        os.seteuid(0)


# -- after a conversation ---------------------------------------------------------------------------


def test_a_good_file_is_made_private_and_copied(tmp_path: Path) -> None:
    path = write_token_file(tmp_path, GOOD_TOKENS)
    path.chmod(0o640)

    back_up_cloud_tokens(tmp_path, EMAIL)

    assert read_token_file(tmp_path, CLOUD_AUTH_FILE_COPY) == GOOD_TOKENS
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in (CLOUD_AUTH_FILE, CLOUD_AUTH_FILE_COPY)] == [
        0o600,
        0o600,
    ]


def test_a_renewed_sign_in_replaces_the_copy(tmp_path: Path) -> None:
    write_token_file(tmp_path, RENEWED_TOKENS)
    write_token_file(tmp_path, GOOD_TOKENS, CLOUD_AUTH_FILE_COPY)

    back_up_cloud_tokens(tmp_path, EMAIL)

    assert read_token_file(tmp_path, CLOUD_AUTH_FILE_COPY) == RENEWED_TOKENS


def test_an_unchanged_sign_in_writes_nothing(tmp_path: Path) -> None:
    write_token_file(tmp_path, GOOD_TOKENS)
    back_up_cloud_tokens(tmp_path, EMAIL)
    before = (tmp_path / CLOUD_AUTH_FILE_COPY).stat()

    back_up_cloud_tokens(tmp_path, EMAIL)

    after = (tmp_path / CLOUD_AUTH_FILE_COPY).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("content", DAMAGED_FILES.values(), ids=DAMAGED_FILES)
def test_a_file_broken_meanwhile_is_replaced_by_its_copy(tmp_path: Path, content: str) -> None:
    write_token_file(tmp_path, content)
    write_token_file(tmp_path, GOOD_TOKENS, CLOUD_AUTH_FILE_COPY)

    back_up_cloud_tokens(tmp_path, EMAIL)

    assert read_token_file(tmp_path) == GOOD_TOKENS


def test_tokens_in_memory_outrank_an_older_copy(tmp_path: Path) -> None:
    write_token_file(tmp_path, "")
    write_token_file(tmp_path, GOOD_TOKENS, CLOUD_AUTH_FILE_COPY)

    back_up_cloud_tokens(tmp_path, EMAIL, RENEWED_TOKENS[EMAIL]["sso"])

    assert read_token_file(tmp_path) == read_token_file(tmp_path, CLOUD_AUTH_FILE_COPY) == RENEWED_TOKENS


def test_tokens_in_memory_do_not_outrank_a_good_file(tmp_path: Path) -> None:
    write_token_file(tmp_path, RENEWED_TOKENS)

    back_up_cloud_tokens(tmp_path, EMAIL, GOOD_TOKENS[EMAIL]["sso"])

    assert read_token_file(tmp_path) == RENEWED_TOKENS


def test_a_copy_never_replaces_a_newer_good_file(tmp_path: Path) -> None:
    write_token_file(tmp_path, RENEWED_TOKENS)
    write_token_file(tmp_path, GOOD_TOKENS, CLOUD_AUTH_FILE_COPY)

    check_cloud_token_file(tmp_path, EMAIL)
    back_up_cloud_tokens(tmp_path, EMAIL)

    assert read_token_file(tmp_path) == RENEWED_TOKENS


def test_a_file_without_our_sign_in_is_not_copied(tmp_path: Path) -> None:
    write_token_file(tmp_path, {"other@example.com": token_entry()})
    write_token_file(tmp_path, GOOD_TOKENS, CLOUD_AUTH_FILE_COPY)

    back_up_cloud_tokens(tmp_path, EMAIL)

    assert read_token_file(tmp_path, CLOUD_AUTH_FILE_COPY) == GOOD_TOKENS


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="could not be stored"):
        back_up_cloud_tokens(tmp_path / "gone", EMAIL, GOOD_TOKENS[EMAIL]["sso"])
