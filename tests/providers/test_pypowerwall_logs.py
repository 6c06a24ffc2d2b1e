"""A library that is listened to, and kept from the terminal and the browser."""

import logging
import os
import sys
import webbrowser
from pathlib import Path

import pytest

from smartcharge.providers.tesla.pypowerwall import capture_logs, disable_interaction

LIBRARY = logging.getLogger("pypowerwall.cloud.teslapy")


def test_the_library_finds_nobody_at_the_terminal() -> None:
    with disable_interaction(), pytest.raises(EOFError):
        input("Enter URL after authentication: ")


def test_what_the_library_prints_is_dropped(capfd: pytest.CaptureFixture[str]) -> None:
    with disable_interaction():
        print("Use browser to login.")  # noqa: T201
    print("afterwards")  # noqa: T201

    assert capfd.readouterr().out == "afterwards\n"


def test_no_browser_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f"#!/bin/sh\ntouch {opened}\n")
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(browser))
    monkeypatch.setattr(webbrowser, "_tryorder", None)

    with disable_interaction():
        assert webbrowser.open("https://auth.tesla.com/oauth2/v3/authorize")

    assert not opened.exists()
    assert os.environ["BROWSER"] == str(browser)
    monkeypatch.setattr(webbrowser, "_tryorder", None)


def test_the_terminal_is_given_back_after_an_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BROWSER", raising=False)
    stdin, stdout = sys.stdin, sys.stdout

    with pytest.raises(KeyboardInterrupt), disable_interaction():
        raise KeyboardInterrupt

    assert (sys.stdin, sys.stdout) == (stdin, stdout)
    assert "BROWSER" not in os.environ


def test_warnings_and_errors_are_heard() -> None:
    with capture_logs() as heard:
        LIBRARY.info("nothing of note")
        LIBRARY.warning("Token refresh failed during retry: %s", "it broke")

    assert heard.said == "Token refresh failed during retry: it broke\n"


def test_the_body_of_an_answer_is_not_kept() -> None:
    with capture_logs() as heard:
        LIBRARY.error("owner-api HTTP %d body: %s", 403, "login_required, says a page")

    assert (heard.said, heard.status()) == ("owner-api HTTP 403\n", 403)


@pytest.mark.parametrize("level", [logging.NOTSET, logging.CRITICAL])
def test_a_library_told_to_be_quiet_is_heard_and_stays_quiet(level: int, caplog: pytest.LogCaptureFixture) -> None:
    library = logging.getLogger("pypowerwall")
    library.setLevel(level)
    try:
        with capture_logs() as heard:
            LIBRARY.error("No sites found")
        assert "No sites found" in heard.said
        assert ("No sites found" in caplog.text) == (level == logging.NOTSET)
        assert (library.level, library.propagate, library.handlers) == (level, True, [])
    finally:
        library.setLevel(logging.NOTSET)
