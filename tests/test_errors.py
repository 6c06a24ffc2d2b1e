from datetime import timedelta

import pytest

from smartcharge.errors import (
    AppError,
    ConfigurationError,
    LockBusyError,
    NotConfirmedError,
    RatePlanMissingError,
    SignInRefusedError,
    StoreError,
    ThrottledError,
    UnreachableError,
    most_serious_exit_code,
)
from smartcharge.text import to_one_line

EXIT_CODES = {
    "an unreachable service is retried by the next tick": (UnreachableError("Kraken is silent"), 3),
    "a throttling service is retried by the next tick": (ThrottledError("Kraken asks us to wait"), 3),
    "a refused configuration is the owner's": (ConfigurationError("is empty", place="config.yaml"), 4),
    "a refused database is the owner's": (StoreError("data/smartcharge.db is no database"), 4),
    "a refused sign-in is the owner's": (SignInRefusedError("wrong password"), 5),
    "an unconfirmed stance is retried by the next tick": (NotConfirmedError("the reserve is still 20 %"), 6),
    "a missing rate plan is an unconfirmed stance": (RatePlanMissingError("Tesla refuses time-based control"), 6),
    "a held lock concerns nobody": (LockBusyError("another run holds the lock"), 75),
    "anything else foreseen is unexpected": (AppError("strange"), 1),
}

COMBINED = {
    "nothing ran": ([], 0),
    "all went well": ([0, 0, 0], 0),
    "a busy lock outweighs success": ([0, 75], 75),
    "a silent service outweighs a busy lock": ([75, 3, 0], 3),
    "an unconfirmed stance outweighs a silent service": ([3, 6], 6),
    "a refused sign-in outweighs an unconfirmed stance": ([6, 5, 3], 5),
    "a refused configuration outweighs a refused sign-in": ([5, 4], 4),
    "a bug outweighs everything": ([0, 75, 3, 6, 5, 4, 1], 1),
    "a code nobody foresaw is not lost": ([0, 1, 130], 130),
}

LINES = {
    "a message becomes a sentence": (UnreachableError("Kraken did not answer"), "Kraken did not answer."),
    "the mend follows the message": (
        SignInRefusedError("Tesla refused the token", fix="Run `smartcharge login tesla`"),
        "Tesla refused the token. To fix: run `smartcharge login tesla`.",
    ),
    "a sentence keeps its own end": (
        LockBusyError("Is another run going on?", fix="Wait."),
        "Is another run going on? To fix: wait.",
    ),
    "lines are joined": (UnreachableError("an answer\nof\r\n two lines"), "an answer of two lines."),
    "control characters do not reach the terminal": (UnreachableError("bell \x07 and \x1b[31m"), "bell ? and ?[31m."),
    "a configuration error names place, key and what is right": (
        ConfigurationError("is 85", place="config.yaml, line 3", key="control.default_reserve_pct", right="Use 0-80"),
        "config.yaml, line 3: control.default_reserve_pct is 85. To fix: use 0-80.",
    ),
    "a configuration error can do without a key": (
        ConfigurationError("is not UTF-8 text", place="config.yaml"),
        "config.yaml: is not UTF-8 text.",
    ),
}


@pytest.mark.parametrize(("trouble", "code"), EXIT_CODES.values(), ids=EXIT_CODES)
def test_every_trouble_carries_its_exit_code(trouble: AppError, code: int) -> None:
    assert trouble.exit_code == code


@pytest.mark.parametrize(("codes", "combined"), COMBINED.values(), ids=COMBINED)
def test_the_most_serious_part_decides(codes: list[int], combined: int) -> None:
    assert most_serious_exit_code(codes) == combined


@pytest.mark.parametrize(("trouble", "line"), LINES.values(), ids=LINES)
def test_a_trouble_is_told_in_one_line(trouble: AppError, line: str) -> None:
    assert str(trouble) == line


def test_throttling_is_a_kind_of_unreachable_and_says_how_long() -> None:
    with pytest.raises(UnreachableError) as caught:
        raise ThrottledError("Kraken asks us to wait", retry_after=timedelta(seconds=90), service="Kraken")

    assert isinstance(caught.value, ThrottledError)
    assert caught.value.retry_after == timedelta(seconds=90)
    assert caught.value.service == "Kraken"


def test_a_configuration_error_can_be_asked_for_its_parts() -> None:
    trouble = ConfigurationError("is missing", place="config.yaml", key="myenergi.hub_serial", right="A serial")

    assert (trouble.place, trouble.key, trouble.fix) == ("config.yaml", "myenergi.hub_serial", "A serial")


LINES = {
    "a line break": ("a\r\nb", "a  b"),
    "a sign that breaks lines elsewhere": ("a\u2028b\x85c", "a b c"),
    "a terminal's colours": ("\x1b[31mred\x9b0m", "?[31mred?0m"),
    "another direction of reading": ("a\u202eb", "a?b"),
    "half a letter": ("a\ud800b", "a?b"),
    "nothing at all": ("a\x00b", "a?b"),
    "letters of any language": ("Straße 漢字 🏠", "Straße 漢字 🏠"),
}


@pytest.mark.parametrize(("text", "line"), LINES.values(), ids=LINES)
def test_text_from_outside_stays_on_its_line(text: str, line: str) -> None:
    assert to_one_line(text) == line
    assert to_one_line(text).isprintable()
