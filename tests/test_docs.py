"""What people read is true: every command, key, message and version that is written down, and none that is not."""

import ast
import os
import re
import subprocess
from pathlib import Path

import msgspec
import pytest
import yaml
from source_tree import ROOT, load_modules

from smartcharge import __version__
from smartcharge.cli import COMMAND_SUMMARIES, cli_group, run_cli
from smartcharge.config.load import load_config
from smartcharge.config.schema import CONFIG_SECTIONS, DEFAULT_CHEAP_PERIODS

README = (ROOT / "README.md").read_text(encoding="utf-8")
CRONTAB = (ROOT / "crontab.example").read_text(encoding="utf-8")
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "config.example.yaml"
CI = ROOT / ".ci" / "run"
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
PROSE = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "crontab.example",
    EXAMPLE,
    *DECISIONS,
]

KEYS = {
    f"{section}.{field.name}" for section, kind in CONFIG_SECTIONS.items() for field in msgspec.structs.fields(kind)
}
BY_CRON = {"fetch-dispatches", "reconcile", "midnight-reset", "send-invites", "tick"}
HEADINGS = ["Status", "Context", "Decision", "Consequences"]
UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|coming soon|lorem ipsum)\b")
AMERICAN = re.compile(
    r"\b(?:behavior|color|favorite|neighbor|center|organiz|recogniz|initializ|authoriz|canceled|canceling|license[sd])",
    re.IGNORECASE,
)
VAGUE = re.compile(r"(?:Manager|Helper|Service|Util|Utils|Processor)$|^(?:utils?|helpers?|managers?|common|misc|data)$")


def commands_in(text: str) -> set[str]:
    """The words that follow the program's name where it is quoted as typed."""
    return set(re.findall(r"`(?:\.venv/bin/)?smartcharge ([a-z][a-z-]*)", text))


def fenced(text: str) -> list[str]:
    """The single lines of shell that a reader is to paste."""
    return [block.strip() for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)]


def test_the_readme_names_every_command_and_no_other() -> None:
    assert commands_in(README) == set(COMMAND_SUMMARIES)


def test_the_readme_has_a_row_for_every_command() -> None:
    assert set(re.findall(r"^\| `smartcharge ([a-z-]+)` \|", README, re.MULTILINE)) == set(COMMAND_SUMMARIES)


@pytest.mark.parametrize("module", load_modules().values(), ids=load_modules())
def test_the_program_sends_nobody_to_a_command_that_is_not_there(module: object) -> None:
    tree = getattr(module, "tree", None)
    assert isinstance(tree, ast.Module)
    texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    assert {command for text in texts for command in commands_in(text)} - set(COMMAND_SUMMARIES) == set()


def test_the_crontab_runs_the_four_and_offers_the_one() -> None:
    lines = re.findall(r"^(# )?\* \* \* \* \* (/\S+/smartcharge) --config (/\S+) ([a-z-]+)$", CRONTAB, re.MULTILINE)
    assert {name for comment, *_, name in lines if not comment} == BY_CRON - {"tick"}
    assert [name for comment, *_, name in lines if comment] == ["tick"]
    assert CRONTAB.count("* * * * *") == len(lines) == 5
    assert "MAILTO=" in CRONTAB


def test_the_example_configuration_names_every_key_and_no_other() -> None:
    example = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    assert {f"{section}.{key}" for section, keys in example.items() for key in keys} == KEYS


def test_the_example_configuration_explains_every_key() -> None:
    lines = [line for line in EXAMPLE.read_text(encoding="utf-8").splitlines() if re.match(r"  [a-z]", line)]
    plain = {"standard_rate_pence", "timezone", "path", "smtp_host"}
    bare = {line.split(":")[0].strip() for line in lines if "#" not in line}
    assert len(lines) == len(KEYS)
    assert bare <= plain


def test_the_example_configuration_is_accepted_and_states_the_true_defaults(tmp_path: Path) -> None:
    minimal = tmp_path / "config.yaml"
    minimal.write_text(
        'eon_next: {import_account: "A-XXXXXXXX"}\nmyenergi: {hub_serial: "12345678", api_key: "abcdef12"}\n',
        encoding="utf-8",
    )
    copied = tmp_path / "example" / "config.yaml"
    copied.parent.mkdir()
    copied.write_bytes(EXAMPLE.read_bytes())
    said, true = load_config(copied, {}), load_config(minimal, {})
    assert said.control == true.control
    assert (said.eon_next, said.myenergi, said.alerts) == (true.eon_next, true.myenergi, true.alerts)
    assert said.tesla is None
    assert said.gcal == CONFIG_SECTIONS["gcal"]()
    assert said.control.cheap_period == DEFAULT_CHEAP_PERIODS["eon-next"]


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.name)
def test_a_key_that_is_mentioned_exists(path: Path) -> None:
    sections = "|".join(CONFIG_SECTIONS)
    mentioned = re.findall(rf"`((?:{sections})\.[a-z_]+)", path.read_text(encoding="utf-8"))
    assert {key.removesuffix("_file") for key in mentioned} - KEYS == set()


def test_two_commands_do_all_the_setting_up() -> None:
    demo, test, *_ = fenced(README)
    assert demo == "python3 -m venv .venv && .venv/bin/pip install -q '.[demo]' && .venv/bin/smartcharge demo"
    assert test == "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && .venv/bin/pytest"


def test_the_build_runs_the_commands_of_the_readme_word_for_word() -> None:
    lines = {line.strip() for line in CI.read_text(encoding="utf-8").splitlines()}
    assert set(fenced(README)[:2]) <= lines
    assert os.access(CI, os.X_OK)
    assert subprocess.run(["bash", "-n", str(CI)], check=False).returncode == 0


def test_a_message_that_the_readme_explains_is_one_that_the_program_gives() -> None:
    rows = re.findall(r"^\| (`.*?) \| .* \| .* \|$", README.partition("## When something")[2], re.MULTILINE)
    quoted = [text for row in rows for text in re.findall(r"`([^`]+)`", row)]
    source = " ".join(
        str(node.value) for m in load_modules().values() for node in ast.walk(m.tree) if isinstance(node, ast.Constant)
    )
    assert len(quoted) > 8
    assert [text for text in quoted if text.strip("()") not in source] == []


def test_the_readme_has_a_row_for_every_exit_code() -> None:
    codes = re.findall(r"^\| (\d+) \|", README.partition("## Exit codes")[2].partition("##")[0], re.MULTILINE)
    assert [int(code) for code in codes] == [0, 1, 2, 3, 4, 5, 6, 75]


def test_links_inside_the_project_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert len(links) > 2
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("name", COMMAND_SUMMARIES)
def test_a_command_helps_and_its_help_is_the_table_s(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = cli_group.commands.get(name) or cli_group.get_command(None, name)  # type: ignore[arg-type]
    assert command is not None
    assert command.help is not None
    assert command.help.splitlines()[0] == COMMAND_SUMMARIES[name]
    assert run_cli([name, "--help"]) == 0
    assert COMMAND_SUMMARIES[name].split()[0] in capsys.readouterr().out


@pytest.mark.parametrize("name", COMMAND_SUMMARIES)
def test_every_option_is_explained(name: str) -> None:
    command = cli_group.get_command(None, name)  # type: ignore[arg-type]
    waiting, bare = [command], []
    while waiting:
        each = waiting.pop()
        waiting.extend(getattr(each, "commands", {}).values())
        bare += [o.opts for o in getattr(each, "params", []) if hasattr(o, "help") and not o.help]
    assert bare == []


def test_the_table_stands_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert [name for name, text in COMMAND_SUMMARIES.items() if f"{name} {text}" not in said] == []


def test_the_changelog_has_this_version_first() -> None:
    assert re.findall(r"^## (\S+)", CHANGELOG, re.MULTILINE)[0] == __version__
    assert re.fullmatch(r"20\d\d\.(?:1[0-2]|[1-9])\.\d+", __version__)


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_its_four_parts(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)", text, re.MULTILINE) == HEADINGS
    assert text.startswith(f"# {path.stem[:4]}: ")
    assert {"- Good:", "- Bad:"} <= set(re.findall(r"^- \w+:", text, re.MULTILINE))


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [path.name[:5] for path in DECISIONS] == [f"{n:04}-" for n in range(1, len(DECISIONS) + 1)]


@pytest.mark.parametrize("path", [*PROSE, CI], ids=lambda path: path.name)
def test_prose_is_finished_and_british(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert UNFINISHED.findall(text) + AMERICAN.findall(text) == []


def test_names_say_what_a_thing_is() -> None:
    names = [(name, part) for name in load_modules() for part in name.split(".")]
    for module in load_modules().values():
        names += [(module.at(n.lineno), n.name) for n in ast.walk(module.tree) if isinstance(n, ast.ClassDef)]
    assert sorted(place for place, name in names if VAGUE.search(name)) == []


def test_the_source_is_finished() -> None:
    assert [name for name, m in load_modules().items() if UNFINISHED.search(m.path.read_text(encoding="utf-8"))] == []
