"""The file itself, and the names in it."""

import re
from pathlib import Path

import pytest
from config_texts import LEGACY_CONFIG_TEXT, REQUIRED_CONFIG_TEXT, ConfigError, LoadConfig
from hypothesis import given, settings
from hypothesis import strategies as st

from smartcharge.config.load import Config, load_config
from smartcharge.errors import ConfigurationError

STRANGERS = {
    "a slip in a section": ("gcall: {}\n", "gcall is not a section. Did you mean gcal?"),
    "a slip in an empty section": ("contol:\n", "contol is not a section. Did you mean control?"),
    "a section from nowhere": ("heating: {a: 1}\n", "heating is not a section. It should be one of eon_next, myenergi"),
    "a slip in a key": (
        "control: {default_reserve: 20}\n",
        "default_reserve is not a key. Did you mean default_reserve_pct?",
    ),
    "a slip in an empty key": ("gcal: {smtp_passs: ''}\n", "gcal.smtp_passs is not a key. Did you mean smtp_pass?"),
    "a hyphen": ("gcal: {smtp-user: a@example.com}\n", "Did you mean smtp_user?"),
    "a key from nowhere": ("database: {colour: red}\n", "It should be one of path, keep_days"),
    "a key in another's section": (
        "control: {invite_to: a@example.com}\n",
        "invite_to is not a key. It belongs under gcal",
    ),
    "a key without a section": ("smtp_port: 587\n", "smtp_port"),
    "a section without keys": ("control: 20\n", "control holds no keys"),
    "a list for a section": ("control: [20]\n", "control holds no keys"),
    "a section inside a section": ("tesla: {backend: {cloud: 1}}\n", "tesla.backend is neither a value nor a list"),
    "a key twice": ("control: {hold: backup, hold: preserve}\n", "control.hold is given twice. Keep one of them"),
    "a section twice": ("eon_next: {import_account: A-2}\n", "eon_next is given twice"),
    "a merge key": ("control: {<<: 1}\n", "control.<< is not a key"),
    "a list for a key": ("control: {[a, b]: 1}\n", "a key must be a word"),
}


@pytest.mark.parametrize(("text", "message"), STRANGERS.values(), ids=STRANGERS)
def test_a_name_that_does_not_exist_is_refused_with_the_nearest_that_does(
    refusal: ConfigError, text: str, message: str
) -> None:
    assert message in refusal(REQUIRED_CONFIG_TEXT + text)


BROKEN = {
    "a forgotten quote": ('eon_next:\n  password: "hunter2\n', "line 3, column 1: this is not valid YAML. Put values"),
    "a tab": ("eon_next:\n\temail: a@example.com\n", "line 2, column 1: this is not valid YAML. Indent with blanks"),
    "a reserved sign": ("eon_next:\n  password: @hunter2\n", "line 2, column 13: this is not valid YAML. Put values"),
    "two documents": (f"{REQUIRED_CONFIG_TEXT}---\na: 1\n", "line 3, column 1: this is not valid YAML"),
    "a control character": ("eon_next: \x01\n", "this is not valid YAML"),
    "a password that looks like an alias": ("eon_next:\n  password: *hunter2\n", "line 2: anchors and aliases"),
    "a password that looks like an anchor": ("eon_next:\n  password: &hunter2\n", "line 2: anchors and aliases"),
    "a password that looks like a tag": ("eon_next:\n  password: !hunter2\n", "line 2: tags (!) are not used here"),
    "another program's secret tag": (
        "gcal:\n  smtp_pass: !secret mail\n",
        "a value can come from a file by <key>_file",
    ),
    "a Python object": ("gcal: !!python/object/apply:os.getcwd []\n", "tags (!) are not used here"),
    "a list": ("- eon_next\n", "line 1: holds no keys. It should be sections with keys in them"),
    "a word": ("hello\n", "holds no keys"),
    "keys without a blank": ("eon_next:\n  password:hunter2\n", "eon_next holds no keys"),
    "lists in lists": ("a: [[[x]]]\n", "line 1: this is nested too deeply"),
    "a bomb of aliases": ("a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "line 1: anchors and aliases"),
    "a novel": ("# " + "x" * 65 * 1024, "is too large. It should hold at most 64 KiB"),
    "Latin-1": ("eon_next: {password: p\xe4ss}\n".encode("latin-1"), "is not UTF-8 text"),
}


@pytest.mark.parametrize(("text", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_refused_with_line_and_mend(refusal: ConfigError, text: str | bytes, message: str) -> None:
    line = refusal(text)

    assert message in line
    assert "hunter2" not in line


FORMS = {
    "a byte order mark": b"\xef\xbb\xbf" + REQUIRED_CONFIG_TEXT.encode(),
    "Windows line ends": REQUIRED_CONFIG_TEXT.replace("\n", "\r\n").encode(),
    "a document start": b"---\n" + REQUIRED_CONFIG_TEXT.encode(),
    "no last line end": REQUIRED_CONFIG_TEXT.rstrip().encode(),
}


def test_a_bomb_of_brackets_is_refused_by_us_or_by_the_parser_before_us(refusal: ConfigError) -> None:
    """Some releases of the parser count brackets themselves, and read ahead."""
    line = refusal("a: " + "[" * 50_000)

    assert "line 1" in line
    assert "nested too deeply" in line or "this is not valid YAML" in line


@pytest.mark.parametrize("content", FORMS.values(), ids=FORMS)
def test_an_editors_habits_do_not_matter(load: LoadConfig, content: bytes) -> None:
    assert load(content).myenergi.hub_serial == "12345678"


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    told = f"{tmp_path}: cannot be read (it is not a regular file)."
    with pytest.raises(ConfigurationError, match=re.escape(told)):
        load_config(tmp_path, {})


@given(
    start=st.integers(0, len(LEGACY_CONFIG_TEXT)),
    cut=st.integers(0, 12),
    filling=st.text(st.characters(codec="utf-8"), max_size=6),
)
@settings(max_examples=300, deadline=None)
def test_a_spoilt_file_is_taken_or_refused_but_never_crashes(
    tmp_path_factory: pytest.TempPathFactory, start: int, cut: int, filling: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "spoilt.yaml"
    path.write_bytes((LEGACY_CONFIG_TEXT[:start] + filling + LEGACY_CONFIG_TEXT[start + cut :]).encode())

    try:
        outcome: object = load_config(path, {})
    except ConfigurationError as refused:
        outcome = str(refused)

    assert isinstance(outcome, Config) or str(path) in str(outcome)
