"""A new Tesla sign-in: how it is stored, recognised, and told from what else people paste."""

from pathlib import Path

import pytest
from tesla_token_files import DAMAGED_FILES, EMAIL, SECRETS, read_token_file, token_entry, write_token_file

from smartcharge.providers.tesla.tokens import (
    CLOUD_AUTH_FILE,
    CLOUD_AUTH_FILE_COPY,
    back_up_cloud_tokens,
    check_cloud_token_file,
    cloud_tokens_fingerprint,
    write_cloud_tokens,
)


def test_a_new_sign_in_passes_the_check(tmp_path: Path) -> None:
    write_cloud_tokens(tmp_path, EMAIL, refresh_token=SECRETS[1], access_token=SECRETS[0])

    check_cloud_token_file(tmp_path, EMAIL)

    assert read_token_file(tmp_path)[EMAIL] == token_entry(expires_at=0)
    assert read_token_file(tmp_path, CLOUD_AUTH_FILE_COPY) == read_token_file(tmp_path)
    assert (tmp_path / CLOUD_AUTH_FILE).stat().st_mode & 0o777 == 0o600


def test_other_accounts_keep_their_sign_in(tmp_path: Path) -> None:
    write_token_file(tmp_path, {"other@example.com": token_entry()})

    write_cloud_tokens(tmp_path, EMAIL, refresh_token=SECRETS[1])

    assert set(read_token_file(tmp_path)) == {"other@example.com", EMAIL}


@pytest.mark.parametrize("content", DAMAGED_FILES.values(), ids=DAMAGED_FILES)
def test_a_new_sign_in_mends_a_damaged_file(tmp_path: Path, content: str) -> None:
    write_token_file(tmp_path, content)

    write_cloud_tokens(tmp_path, EMAIL, refresh_token=SECRETS[1])

    assert set(read_token_file(tmp_path)) == {EMAIL}


def test_the_fingerprint_changes_with_the_sign_in_alone(tmp_path: Path) -> None:
    absent = cloud_tokens_fingerprint(tmp_path, EMAIL)
    write_cloud_tokens(tmp_path, EMAIL, refresh_token=SECRETS[1])
    first = cloud_tokens_fingerprint(tmp_path, EMAIL)
    back_up_cloud_tokens(tmp_path, EMAIL)
    kept = cloud_tokens_fingerprint(tmp_path, EMAIL)
    write_cloud_tokens(tmp_path, EMAIL, refresh_token="another-refresh-token-1")

    assert kept == first
    assert (
        len(
            {
                absent,
                first,
                cloud_tokens_fingerprint(tmp_path, EMAIL),
                cloud_tokens_fingerprint(tmp_path, "b@example.com"),
            }
        )
        == 4
    )
