"""A new Tesla sign-in: how it is stored, recognised, and told from what else people paste."""

from pathlib import Path

import pytest
from tokens_case import DAMAGED, EMAIL, SECRETS, sign_in, stored, write

from smartcharge.adapters._powerwall_tokens import (
    AUTH_FILE,
    GOOD_FILE,
    check,
    keep_good,
    tokens_fingerprint,
    write_tokens,
)


def test_a_new_sign_in_passes_the_check(tmp_path: Path) -> None:
    write_tokens(tmp_path, EMAIL, refresh_token=SECRETS[1], access_token=SECRETS[0])

    check(tmp_path, EMAIL)

    assert stored(tmp_path)[EMAIL] == sign_in(expires_at=0)
    assert stored(tmp_path, GOOD_FILE) == stored(tmp_path)
    assert (tmp_path / AUTH_FILE).stat().st_mode & 0o777 == 0o600


def test_other_accounts_keep_their_sign_in(tmp_path: Path) -> None:
    write(tmp_path, {"other@example.com": sign_in()})

    write_tokens(tmp_path, EMAIL, refresh_token=SECRETS[1])

    assert set(stored(tmp_path)) == {"other@example.com", EMAIL}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_new_sign_in_mends_a_damaged_file(tmp_path: Path, content: str) -> None:
    write(tmp_path, content)

    write_tokens(tmp_path, EMAIL, refresh_token=SECRETS[1])

    assert set(stored(tmp_path)) == {EMAIL}


def test_the_fingerprint_changes_with_the_sign_in_alone(tmp_path: Path) -> None:
    absent = tokens_fingerprint(tmp_path, EMAIL)
    write_tokens(tmp_path, EMAIL, refresh_token=SECRETS[1])
    first = tokens_fingerprint(tmp_path, EMAIL)
    keep_good(tmp_path, EMAIL)
    kept = tokens_fingerprint(tmp_path, EMAIL)
    write_tokens(tmp_path, EMAIL, refresh_token="another-refresh-token-1")

    assert kept == first
    assert len({absent, first, tokens_fingerprint(tmp_path, EMAIL), tokens_fingerprint(tmp_path, "b@example.com")}) == 4
