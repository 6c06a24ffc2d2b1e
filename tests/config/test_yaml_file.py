"""The file itself, and the names in it."""

from pathlib import Path

import pytest
from config_texts import LEGACY_CONFIG_TEXT, REQUIRED_CONFIG_TEXT, ConfigError, LoadConfig
from hypothesis import given, settings
from hypothesis import strategies as st

from smartcharge.config.load import Config, load_config
from smartcharge.errors import ConfigurationError

UNKNOWN_NAMES = {
    "a slip in a section": ("gcall: {}\n", "gcall is not a section. Did you mean gcal?"),
    "a slip in an empty section": ("contol:\n", "contol is not a section. Did you mean control?"),
    "an unknown section": ("heating: {a: 1}\n", "heating is not a section. Use one of eon_next, myenergi"),
    "a slip in a key": ("control: {default_reserve: 20}\n", "Did you mean default_reserve_pct?"),
    "a slip in an empty key": ("gcal: {smtp_passs: ''}\n", "gcal.smtp_passs is not a key. Did you mean smtp_pass?"),
    "a hyphen": ("gcal: {smtp-user: a@example.com}\n", "Did you mean smtp_user?"),
    "an unknown key": ("database: {colour: red}\n", "Use one of path, keep_days"),
    "a key in another's section": ("control: {invite_to: a@b.c}\n", "invite_to is not a key. It belongs under gcal"),
    "a key without a section": ("smtp_port: 587\n", "smtp_port"),
    "a section without keys": ("control: 20\n", "control holds no keys"),
    "a section inside a section": ("tesla: {backend: {cloud: 1}}\n", "tesla.backend is neither a value nor a list"),
    "a key twice": ("control: {hold: backup, hold: preserve}\n", "control.hold is given twice. Keep one of them"),
    "a section twice": ("eon_next: {import_account: A-2}\n", "eon_next is given twice"),
    "a merge key": ("control: {<<: 1}\n", "control.<< is not a key"),
    "a list for a key": ("control: {[a, b]: 1}\n", "a key must be a word"),
}


@pytest.mark.parametrize(("text", "message"), UNKNOWN_NAMES.values(), ids=UNKNOWN_NAMES)
def test_a_name_that_does_not_exist_is_refused_with_the_nearest_that_does(
    refusal: ConfigError, text: str, message: str
) -> None:
    assert message in refusal(REQUIRED_CONFIG_TEXT + text)


NOT_YAML = "this is not valid YAML"
BROKEN = {
    "a forgotten quote": ('eon_next:\n  password: "hunter2\n', f"line 3, column 1: {NOT_YAML}. Put values"),
    "a tab": ("eon_next:\n\temail: a@example.com\n", f"line 2, column 1: {NOT_YAML}. Indent with blanks"),
    "a reserved sign": ("eon_next:\n  password: @hunter2\n", f"line 2, column 13: {NOT_YAML}."),
    "two documents": (f"{REQUIRED_CONFIG_TEXT}---\na: 1\n", f"line 3, column 1: {NOT_YAML}"),
    "a control character": ("eon_next: \x01\n", NOT_YAML),
    "a password like an alias": ("eon_next:\n  password: *hunter2\n", "line 2: anchors and aliases"),
    "a password like an anchor": ("eon_next:\n  password: &hunter2\n", "line 2: anchors and aliases"),
    "a password like a tag": ("eon_next:\n  password: !hunter2\n", "line 2: tags (!) are not used here"),
    "another program's secret tag": ("gcal:\n  smtp_pass: !secret mail\n", "can come from a file by <key>_file"),
    "a Python object": ("gcal: !!python/object/apply:os.getcwd []\n", "tags (!) are not used here"),
    "a list": ("- eon_next\n", "line 1: holds no keys. Use sections with keys in them"),
    "keys without a blank": ("eon_next:\n  password:hunter2\n", "eon_next holds no keys"),
    "lists in lists": ("a: [[[x]]]\n", "line 1: this is nested too deeply"),
    "a bomb of aliases": ("a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "line 1: anchors and aliases"),
    "a bomb of brackets": ("a: " + "[" * 50_000, "line 1"),  # some releases of the parser count brackets themselves
    "a long text": ("# " + "x" * 65 * 1024, "is too large. It should hold at most 64 KiB"),
    "Latin-1": ("eon_next: {password: p\xe4ss}\n".encode("latin-1"), "is not UTF-8 text"),
}


@pytest.mark.parametrize(("text", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_refused_with_line_and_fix(refusal: ConfigError, text: str | bytes, message: str) -> None:
    line = refusal(text)

    assert message in line
    assert "hunter2" not in line


EDITORS_HABITS = {
    "a byte order mark": b"\xef\xbb\xbf" + REQUIRED_CONFIG_TEXT.encode(),
    "Windows line ends": REQUIRED_CONFIG_TEXT.replace("\n", "\r\n").encode(),
    "a document start": b"---\n" + REQUIRED_CONFIG_TEXT.encode(),
    "no last line end": REQUIRED_CONFIG_TEXT.rstrip().encode(),
}


@pytest.mark.parametrize("content", EDITORS_HABITS.values(), ids=EDITORS_HABITS)
def test_an_editors_habits_do_not_matter(load: LoadConfig, content: bytes) -> None:
    assert load(content).myenergi.hub_serial == "12345678"


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="not a regular file"):
        load_config(tmp_path, {})


@given(
    start=st.integers(0, len(LEGACY_CONFIG_TEXT)),
    cut=st.integers(0, 12),
    filling=st.text(st.characters(codec="utf-8"), max_size=6),
)
@settings(max_examples=300, deadline=None)
def test_a_damaged_file_is_taken_or_refused_but_never_crashes(
    tmp_path_factory: pytest.TempPathFactory, start: int, cut: int, filling: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.yaml"
    path.write_bytes((LEGACY_CONFIG_TEXT[:start] + filling + LEGACY_CONFIG_TEXT[start + cut :]).encode())

    try:
        outcome: object = load_config(path, {})
    except ConfigurationError as refused:
        outcome = str(refused)

    assert isinstance(outcome, Config) or str(path) in str(outcome)
