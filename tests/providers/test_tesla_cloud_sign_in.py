"""How the Powerwall's adapter renews, keeps and loses its sign-in."""

from datetime import timedelta

import pytest
from cloud_installation import CloudInstallation

from smartcharge.deadline import DeadlineExceeded
from smartcharge.errors import AppError, SignInRefusedError, ThrottledError, UnreachableError

NINE_HOURS = timedelta(hours=9)
"""An access token lives for eight."""


def renewals(home: CloudInstallation) -> int:
    """How often the sign-in was to be renewed."""
    return home.simulator.count("tesla-auth")


def test_a_token_that_has_run_out_is_renewed_once_and_kept(home: CloudInstallation) -> None:
    before = home.tokens()
    home.simulator.set_time(home.simulator.now + NINE_HOURS)

    with home.battery() as powerwall:
        assert powerwall.read().mode == "autonomous"

    assert renewals(home) == 1
    assert home.tokens()["refresh_token"] != before["refresh_token"]
    assert home.auth_file.stat().st_mode & 0o777 == 0o600
    assert home.tokens(".pypowerwall.auth.good") == home.tokens()


def test_a_token_renewed_in_a_conversation_that_fails_is_kept(home: CloudInstallation) -> None:
    before = home.tokens()
    home.simulator.set_time(home.simulator.now + NINE_HOURS)

    with home.simulator.fault("tesla", "http-503", only="site_info"):
        home.refusal_to_read()

    assert home.tokens(".pypowerwall.auth.good") == home.tokens()
    assert home.tokens()["refresh_token"] != before["refresh_token"]


def test_a_token_that_runs_out_between_two_questions_is_renewed(home: CloudInstallation) -> None:
    with home.battery() as powerwall:
        powerwall.read()
        home.simulator.set_time(home.simulator.now + NINE_HOURS)
        powerwall.set_mode("backup")

        assert powerwall.read().mode == "backup"
    assert renewals(home) == 1


def test_a_sign_in_that_was_revoked_asks_for_a_new_one(home: CloudInstallation) -> None:
    home.simulator.set_time(home.simulator.now + NINE_HOURS)

    with home.simulator.fault("tesla-auth", "login-required"):
        trouble = home.refusal_to_read()

    assert isinstance(trouble, SignInRefusedError)
    assert "smartcharge login tesla" in str(trouble)
    assert renewals(home) <= 4


RENEWAL_TROUBLES = {
    "http-429": ThrottledError,
    "http-403": UnreachableError,
    "http-500": UnreachableError,
    "http-503": UnreachableError,
    "html": UnreachableError,
    "drop": UnreachableError,
}


@pytest.mark.parametrize(("kind", "expected"), RENEWAL_TROUBLES.items(), ids=RENEWAL_TROUBLES)
def test_a_token_server_in_trouble_is_not_taken_for_a_revoked_sign_in(
    home: CloudInstallation, kind: str, expected: type[AppError]
) -> None:
    home.simulator.set_time(home.simulator.now + NINE_HOURS)

    with home.simulator.fault("tesla-auth", kind):
        assert type(home.refusal_to_read()) is expected


@pytest.mark.parametrize(
    "content", [None, "", "{", '{"other@example.com": {}}'], ids=["no", "empty", "cut off", "foreign"]
)
def test_an_unfit_token_file_asks_nobody_anything(
    home: CloudInstallation, content: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    home.auth_file.unlink()
    if content is not None:
        home.auth_file.write_text(content)

    assert isinstance(home.refusal_to_read(), SignInRefusedError)
    assert home.asked == home.simulator.refused == []
    assert capfd.readouterr() == ("", "")


def test_an_address_other_than_that_of_the_sign_in_is_refused(home: CloudInstallation) -> None:
    assert isinstance(home.refusal_to_read(email="other@example.com"), SignInRefusedError)


def test_a_renewed_token_whose_file_was_lost_is_saved_from_memory(home: CloudInstallation) -> None:
    with home.battery() as powerwall:
        powerwall.read()
    home.simulator.set_time(home.simulator.now + NINE_HOURS)

    with home.battery() as powerwall:
        newest = home.tokens()
        home.auth_file.write_text("")  # as a failing write leaves it
        powerwall.read()

    assert home.tokens()["refresh_token"] == newest["refresh_token"]


def test_a_damaged_token_file_is_mended_before_the_library_sees_it(home: CloudInstallation) -> None:
    with home.battery() as powerwall:
        powerwall.read()
    home.auth_file.write_text("")

    with home.battery() as powerwall:
        assert powerwall.read().mode == "autonomous"


def test_a_conversation_never_logs_out(home: CloudInstallation) -> None:
    before = home.tokens()

    with home.battery() as powerwall:
        powerwall.read()
    with home.simulator.fault("tesla", "http-503"):
        home.refusal_to_read()

    assert home.tokens() == before


def refuse_the_copy(home: CloudInstallation) -> None:
    """Put something in the way of the good copy, in mid-conversation."""
    good = home.folder / ".pypowerwall.auth.good"
    good.unlink()
    good.mkdir()


def test_a_disk_that_refuses_is_told(home: CloudInstallation) -> None:
    with pytest.raises(UnreachableError, match="could not be stored"), home.battery():
        refuse_the_copy(home)


def test_a_disk_that_refuses_does_not_hide_what_is_worse(home: CloudInstallation) -> None:
    with pytest.raises(DeadlineExceeded), home.battery():
        run_out_of_time(home)


def run_out_of_time(home: CloudInstallation) -> None:
    """Lose the disk and the time at once."""
    refuse_the_copy(home)
    raise DeadlineExceeded
