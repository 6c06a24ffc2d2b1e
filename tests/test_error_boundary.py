"""What an unforeseen error of a part comes to: a traceback that does no harm, and the next part's turn."""

import errno

import pytest

from smartcharge.console import EXIT_UNEXPECTED_ERROR, run_guarded
from smartcharge.errors import UnreachableError


def test_a_traceback_is_told_and_colours_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    def run() -> None:
        raise ValueError("\x1b[31m says a server\ud800")

    assert run_guarded(run) == EXIT_UNEXPECTED_ERROR
    told = capsys.readouterr().err
    assert told.startswith("Traceback (most recent call last):\n")
    assert told.endswith("ValueError: ?[31m says a server?\n")


OUTPUT = {
    "a full disk": (OSError(errno.ENOSPC, "No space left on device"), 1, ""),
    "a reader who has left": (BrokenPipeError(errno.EPIPE, "Broken pipe"), 0, ""),
    "a file of ours": (OSError(errno.ENOSPC, "No space left on device", "house.ics"), 1, "Traceback"),
    "an address that is taken": (OSError(errno.EADDRINUSE, "Address already in use"), 1, "Traceback"),
}


@pytest.mark.parametrize(("odd", "code", "told"), OUTPUT.values(), ids=OUTPUT)
def test_output_that_cannot_be_written_is_no_bug(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, odd: OSError, code: int, told: str
) -> None:
    monkeypatch.setattr("smartcharge.console._stdout_errors", [])

    def run() -> None:
        raise odd

    assert run_guarded(run) == code
    assert capsys.readouterr().err.startswith(told)


def test_what_is_foreseen_is_told_by_whoever_is_asked_to() -> None:
    told: list[str] = []

    def run() -> None:
        raise UnreachableError("it rains")

    assert run_guarded(run, told.append) == 3
    assert told == ["smartcharge: it rains."]
