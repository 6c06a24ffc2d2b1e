"""The sign-in that is kept on disk: whose it is, what if it is broken, and when nothing is asked at all."""

from dataclasses import replace

import pytest
from fake_kraken import EMAIL, PASSWORD, KrakenInstallation, authorization_header, error_response

from smartcharge.errors import ConfigurationError, SignInRefusedError
from smartcharge.providers.kraken.account import kraken_credentials_fingerprint


def test_an_api_key_signs_in_where_there_is_one(house: KrakenInstallation) -> None:
    octopus = replace(house, account=replace(house.account, supplier="octopus", api_key="sk_live_secret"))

    octopus.plan("ev-a")
    octopus.plan("ev-a")

    assert house.kraken.logins == [{"APIKey": "sk_live_secret"}]
    assert "sk_live_secret" not in octopus.token_file.read_text()


def test_a_changed_api_key_is_signed_in_with_at_once(house: KrakenInstallation) -> None:
    account = replace(house.account, supplier="octopus", api_key="sk_live_one")
    replace(house, account=account).plan("ev-a")

    replace(house, account=replace(account, api_key="sk_live_two")).plan("ev-a")

    assert house.kraken.logins == [{"APIKey": "sk_live_one"}, {"APIKey": "sk_live_two"}]


@pytest.mark.parametrize("other", [{"owner": "someone@else.example"}, {"supplier": "edf"}])
def test_another_persons_sign_in_is_not_used(house: KrakenInstallation, other: dict[str, object]) -> None:
    house.keep(**other)

    house.plan("ev-a")

    assert house.kraken.logins == [{"email": EMAIL, "password": PASSWORD}]


def test_a_kept_sign_in_needs_no_configured_one(house: KrakenInstallation) -> None:
    house.keep()
    bare = replace(house, account=replace(house.account, email=None, password=""))

    assert bare.plan("ev-a").planned.keys() == {"ev-a"}


def test_no_sign_in_at_all_is_the_owners_business(house: KrakenInstallation) -> None:
    bare = replace(house, account=replace(house.account, password=None))

    with pytest.raises(SignInRefusedError, match="smartcharge login kraken"):
        bare.plan("ev-a")

    assert house.kraken.logins == []


def test_signing_in_asks_nothing_where_a_token_is_kept(house: KrakenInstallation) -> None:
    house.keep()

    authorization_header(house.account)

    assert (house.kraken.logins, house.kraken.asked) == ([], [])


def test_signing_in_asks_for_a_token_alone(house: KrakenInstallation) -> None:
    authorization_header(house.account)

    assert len(house.kraken.logins) == 1
    assert house.kraken.asked == []


BROKEN = {
    "an empty file": b"",
    "half a file": b'{"kind": "kraken", "supp',
    "bytes": b"\xff\xfe\x00",
    "a list": b"[]",
    "an unknown kind": b'{"kind": "magic", "supplier": "eon-next"}',
    "a token with a line break": b'{"kind": "kraken", "supplier": "eon-next", "token": "a\\r\\nX-Evil: 1"}',
    "a time without a zone": b'{"kind": "kraken", "supplier": "eon-next", "until": "2026-07-08T12:40:00"}',
    "a deep file": b"[" * 50_000,
    "a file without end": b'{"kind": "' + b"x" * 100_000,
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_token_file_is_set_aside_with_a_remark(house: KrakenInstallation, content: bytes) -> None:
    house.token_file.write_bytes(content)

    plan = house.plan("ev-a")

    assert plan.remarks == (".kraken.json could not be understood; it is kept as .kraken.json.broken",)
    assert house.token_file.with_name(".kraken.json.broken").read_bytes() == content
    assert house.kept()["token"]


def test_a_token_file_that_others_may_read_is_tightened(house: KrakenInstallation) -> None:
    house.keep()
    house.token_file.chmod(0o644)

    house.plan("ev-a")

    assert house.token_file.stat().st_mode & 0o777 == 0o600


def test_a_token_file_that_cannot_be_read_is_the_owners_business(house: KrakenInstallation) -> None:
    house.token_file.mkdir()

    with pytest.raises(ConfigurationError, match="cannot be read"):
        house.plan("ev-a")


def test_a_folder_that_is_missing_is_made(house: KrakenInstallation) -> None:
    deep = replace(house, account=replace(house.account, token_file=house.folder / "data" / ".kraken.json"))

    deep.plan("ev-a")

    assert deep.token_file.exists()


@pytest.mark.parametrize("until", ["2026-07-08T11:00:00Z", "2027-07-08T12:00:00Z", None])
def test_a_token_of_unbelievable_life_is_renewed(house: KrakenInstallation, until: str | None) -> None:
    house.keep(until=until)

    house.plan("ev-a")

    assert len(house.kraken.logins) == 1


def test_a_fingerprint_changes_with_credentials_and_with_the_token_file(house: KrakenInstallation) -> None:
    account = house.account
    prints = {kraken_credentials_fingerprint(account)}
    prints.add(kraken_credentials_fingerprint(replace(account, email="changed")))
    prints.add(kraken_credentials_fingerprint(replace(account, password="changed")))
    prints.add(kraken_credentials_fingerprint(replace(account, api_key="no text \udcff")))
    prints.add(kraken_credentials_fingerprint(replace(account, auth_client_id="changed")))
    house.keep()
    prints.add(kraken_credentials_fingerprint(account))
    house.keep(refresh_token="another-refresh")
    prints.add(kraken_credentials_fingerprint(account))

    assert len(prints) == 7
    assert kraken_credentials_fingerprint(account) == kraken_credentials_fingerprint(replace(account))


def test_a_refusal_leaves_the_fingerprint_as_it_is(house: KrakenInstallation) -> None:
    house.kraken.next_logins += [error_response("KT-CT-1138"), error_response("KT-CT-1138")]
    prints = []
    for _ in range(2):
        with pytest.raises(SignInRefusedError):
            house.plan("ev-a")
        prints.append(kraken_credentials_fingerprint(house.account))

    assert prints[0] == prints[1]
    assert not any(secret in prints[0] for secret in (EMAIL, PASSWORD))
