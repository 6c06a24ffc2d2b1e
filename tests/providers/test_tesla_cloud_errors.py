"""What the Powerwall's adapter makes of a network and a service in trouble."""

import contextlib
import gc
import os
from datetime import timedelta

import pytest
from cloud_installation import CloudInstallation
from controlled_time_limit import Share, once_asked

from smartcharge.deadline import DeadlineExceeded
from smartcharge.errors import AppError, SignInRefusedError, ThrottledError, UnreachableError

NINE_HOURS = timedelta(hours=9)

KINDS = {
    "http-401": SignInRefusedError,
    "http-403": SignInRefusedError,
    "http-429": ThrottledError,
    "http-500": UnreachableError,
    "http-502": UnreachableError,
    "http-503": UnreachableError,
    "html": UnreachableError,
    "null": UnreachableError,
    "list": UnreachableError,
    "empty": UnreachableError,
    "drop": UnreachableError,
}


@pytest.mark.parametrize("where", ["products", "site_info"])
@pytest.mark.parametrize(("kind", "expected"), KINDS.items(), ids=KINDS)
def test_a_reading_that_fails_is_classified(
    home: CloudInstallation, kind: str, expected: type[AppError], where: str
) -> None:
    with home.simulator.fault("tesla", kind, only=where):
        trouble = home.refusal_to_read()

    if (kind, where) == ("http-401", "site_info"):
        expected = UnreachableError  # the token has just opened the list of products
    assert type(trouble) is expected
    assert trouble.service == "tesla"


def test_an_answer_without_settings_is_an_outage(home: CloudInstallation) -> None:
    with home.simulator.fault("tesla", "response-null", only="site_info"):
        assert type(home.refusal_to_read()) is UnreachableError


@pytest.mark.parametrize("where", ["products", "site_info"])
def test_a_throttle_tells_how_long(home: CloudInstallation, where: str) -> None:
    with home.simulator.fault("tesla", "http-429", only=where, amount=30):
        trouble = home.refusal_to_read()

    assert isinstance(trouble, ThrottledError)
    assert trouble.retry_after == timedelta(seconds=30)


def test_a_throttled_command_tells_how_long(home: CloudInstallation) -> None:
    """The library drops the answer; only the transport beneath it logs the headers."""
    with home.simulator.fault("tesla", "http-429", only="POST", amount=420):
        trouble = home.refusal_of_mode("backup")

    assert isinstance(trouble, ThrottledError)
    assert trouble.retry_after == timedelta(minutes=7)


@pytest.mark.parametrize(("kind", "most"), [("http-403", 1), ("http-429", 1), ("http-503", 1), ("html", 1)])
def test_a_closed_door_is_not_hammered(home: CloudInstallation, kind: str, most: int) -> None:
    with home.simulator.fault("tesla", kind):
        home.refusal_to_read()

    assert len(home.asked) <= most


def test_a_refused_kind_of_token_says_what_to_do(home: CloudInstallation) -> None:
    with home.simulator.fault("tesla", "http-403"):
        assert "browser" in str(home.refusal_to_read())


def test_a_network_that_is_down_is_an_outage(home: CloudInstallation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")

    assert "could not be reached" in str(home.refusal_to_read())


def test_a_foreign_certificate_is_not_trusted(home: CloudInstallation, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name)

    assert "trusted" in str(home.refusal_to_read())
    assert home.asked == []


def test_the_older_transport_of_the_library_works_too(home: CloudInstallation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")

    with home.battery() as powerwall:
        assert powerwall.read().mode == "autonomous"


def use_to_the_end(home: CloudInstallation, share: Share, where: str) -> bool:
    """Read and write until the time is over, and keep nothing that holds on to what was open."""
    try:
        with once_asked(share, home.simulator, where), home.battery() as powerwall:
            powerwall.read()
            powerwall.set_mode("backup")
    except DeadlineExceeded:
        return True
    return False


@pytest.mark.parametrize("kind", ["hang", "drip"])
@pytest.mark.parametrize("where", ["products", "site_info", "operation"])
def test_the_alarm_passes_through_and_leaves_nothing_open(
    home: CloudInstallation, share: Share, kind: str, where: str
) -> None:
    home.simulator.set_time(home.simulator.now + NINE_HOURS)

    with home.simulator.fault("tesla", kind, only=where):
        assert use_to_the_end(home, share, where)

    gc.collect()  # what is still open would be a warning here, and a warning is an error
    assert home.tokens()


def test_nothing_is_printed_and_no_secret_is_told(home: CloudInstallation, capfd: pytest.CaptureFixture[str]) -> None:
    secrets = home.tokens()
    told = []
    for kind in KINDS:
        with home.simulator.fault("tesla", kind):
            told.append(str(home.refusal_to_read()))

    assert capfd.readouterr() == ("", "")
    assert not any(secrets[name] in line for line in told for name in ("access_token", "refresh_token"))


def test_the_terminal_and_the_browser_are_given_back(home: CloudInstallation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWSER", "lynx")
    with home.simulator.fault("tesla", "http-503"), contextlib.suppress(UnreachableError), home.battery():
        pass

    assert os.environ["BROWSER"] == "lynx"
