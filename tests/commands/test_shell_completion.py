"""The shell completes commands and options, although commands are imported late and idle minutes end early."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from smartcharge.cli import COMMAND_SUMMARIES, run_cli

ROOT = Path(__file__).parents[2]
LOADED = """
import sys
from smartcharge.cli import run_cli as main
try:
    main([])
finally:
    print(*(name for name in sys.modules if name.startswith("smartcharge.commands")), file=sys.stderr)
"""
IN_BASH = """
eval "$(_SMARTCHARGE_COMPLETE=bash_source smartcharge)"
complete -p smartcharge
COMP_WORDS=(smartcharge lo); COMP_CWORD=1; _smartcharge_completion smartcharge
echo "${COMPREPLY[@]}"
"""


def offered(words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What is offered for the last of these words."""
    typed = words.split(" ")
    monkeypatch.setenv("_SMARTCHARGE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(typed) - 1))
    with pytest.raises(SystemExit):
        run_cli([])
    return [line.partition(",")[2] for line in capsys.readouterr().out.splitlines()]


def test_words_are_completed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    cases = {
        "smartcharge ": list(COMMAND_SUMMARIES),
        "smartcharge mi": ["midnight-reset"],
        "smartcharge --ver": ["--verbose", "--version"],
        "smartcharge login ": ["kraken", "tesla"],
        "smartcharge login kraken --b": ["--browser"],
        "smartcharge pause --u": ["--until"],
    }

    assert {words: offered(words, monkeypatch, capsys) for words in cases} == cases


def test_offering_the_commands_imports_none_of_them() -> None:
    asked = {"_SMARTCHARGE_COMPLETE": "bash_complete", "COMP_WORDS": "smartcharge ", "COMP_CWORD": "1"}
    child = [sys.executable, "-c", LOADED]
    ran = subprocess.run(
        child, env={**os.environ, **asked, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )

    assert "plain,tick" in ran.stdout
    assert ran.stderr.strip() == ""


def test_bash_takes_the_lines_of_the_readme(tmp_path: Path) -> None:
    program = tmp_path / "smartcharge"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m smartcharge "$@"\n')
    program.chmod(0o755)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    ran = subprocess.run(
        ["bash", "-c", IN_BASH], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert "-F _smartcharge_completion smartcharge" in ran.stdout
    assert ran.stdout.splitlines()[-1] == "login"
