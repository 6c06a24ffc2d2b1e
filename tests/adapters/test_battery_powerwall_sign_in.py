"""How the Powerwall's adapter renews, keeps and loses its sign-in."""

from datetime import timedelta

import pytest
from powerwall_case import Home

from smartcharge import budget
from smartcharge.errors import SignInRefused, Throttled, Trouble, Unreachable

NINE_HOURS = timedelta(hours=9)
"""An access token lives for eight."""


def renewals(home: Home) -> int:
    """How often the sign-in was to be renewed."""
    return home.street.count("tesla-auth")


def test_a_token_that_has_run_out_is_renewed_once_and_kept(home: Home) -> None:
    before = home.tokens()
    home.street.set_time(home.street.now + NINE_HOURS)

    with home.battery() as powerwall:
        assert powerwall.read().mode == "autonomous"

    assert renewals(home) == 1
    assert home.tokens()["refresh_token"] != before["refresh_token"]
    assert home.auth_file.stat().st_mode & 0o777 == 0o600
    assert home.tokens(".pypowerwall.auth.good") == home.tokens()


def test_a_token_renewed_in_a_conversation_that_fails_is_kept(home: Home) -> None:
    before = home.tokens()
    home.street.set_time(home.street.now + NINE_HOURS)

    with home.street.fault("tesla", "http-503", only="site_info"):
        home.refusal_to_read()

    assert home.tokens(".pypowerwall.auth.good") == home.tokens()
    assert home.tokens()["refresh_token"] != before["refresh_token"]


def test_a_token_that_runs_out_between_two_questions_is_renewed(home: Home) -> None:
    with home.battery() as powerwall:
        powerwall.read()
        home.street.set_time(home.street.now + NINE_HOURS)
        powerwall.set_mode("backup")

        assert powerwall.read().mode == "backup"
    assert renewals(home) == 1


def test_a_sign_in_that_was_revoked_asks_for_a_new_one(home: Home) -> None:
    home.street.set_time(home.street.now + NINE_HOURS)

    with home.street.fault("tesla-auth", "login-required"):
        trouble = home.refusal_to_read()

    assert isinstance(trouble, SignInRefused)
    assert "smartcharge login tesla" in str(trouble)
    assert renewals(home) <= 4


RENEWAL_TROUBLES = {
    "http-429": Throttled,
    "http-403": Unreachable,
    "http-500": Unreachable,
    "http-503": Unreachable,
    "html": Unreachable,
    "drop": Unreachable,
}


@pytest.mark.parametrize(("kind", "expected"), RENEWAL_TROUBLES.items(), ids=RENEWAL_TROUBLES)
def test_a_token_server_in_trouble_is_not_taken_for_a_revoked_sign_in(
    home: Home, kind: str, expected: type[Trouble]
) -> None:
    home.street.set_time(home.street.now + NINE_HOURS)

    with home.street.fault("tesla-auth", kind):
        assert type(home.refusal_to_read()) is expected


@pytest.mark.parametrize(
    "content", [None, "", "{", '{"other@example.com": {}}'], ids=["no", "empty", "cut off", "foreign"]
)
def test_an_unfit_token_file_asks_nobody_anything(
    home: Home, content: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    home.auth_file.unlink()
    if content is not None:
        home.auth_file.write_text(content)

    assert isinstance(home.refusal_to_read(), SignInRefused)
    assert home.asked == home.street.refused == []
    assert capfd.readouterr() == ("", "")


def test_an_address_other_than_that_of_the_sign_in_is_refused(home: Home) -> None:
    assert isinstance(home.refusal_to_read(email="other@example.com"), SignInRefused)


def test_a_renewed_token_whose_file_was_lost_is_saved_from_memory(home: Home) -> None:
    with home.battery() as powerwall:
        powerwall.read()
    home.street.set_time(home.street.now + NINE_HOURS)

    with home.battery() as powerwall:
        newest = home.tokens()
        home.auth_file.write_text("")  # as a failing write leaves it
        powerwall.read()

    assert home.tokens()["refresh_token"] == newest["refresh_token"]


def test_a_damaged_token_file_is_mended_before_the_library_sees_it(home: Home) -> None:
    with home.battery() as powerwall:
        powerwall.read()
    home.auth_file.write_text("")

    with home.battery() as powerwall:
        assert powerwall.read().mode == "autonomous"


def test_a_conversation_never_logs_out(home: Home) -> None:
    before = home.tokens()

    with home.battery() as powerwall:
        powerwall.read()
    with home.street.fault("tesla", "http-503"):
        home.refusal_to_read()

    assert home.tokens() == before


def refuse_the_copy(home: Home) -> None:
    """Put something in the way of the good copy, in mid-conversation."""
    good = home.folder / ".pypowerwall.auth.good"
    good.unlink()
    good.mkdir()


def test_a_disk_that_refuses_is_told(home: Home) -> None:
    with pytest.raises(Unreachable, match="could not be stored"), home.battery():
        refuse_the_copy(home)


def test_a_disk_that_refuses_does_not_hide_what_is_worse(home: Home) -> None:
    with pytest.raises(budget.OutOfTime), home.battery():
        run_out_of_time(home)


def run_out_of_time(home: Home) -> None:
    """Lose the disk and the time at once."""
    refuse_the_copy(home)
    raise budget.OutOfTime
