"""A disk that is full, a reader who has left, a terminal that is closed: one line at most, and a sensible end."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from stored_house import StoredHouse, make_stored_house

FULL = Path("/dev/full")
LOST = f"smartcharge: what was said could not be written ({os.strerror(errno.ENOSPC)}).\n"


@pytest.fixture
def memory(tmp_path: Path) -> StoredHouse:
    return make_stored_house(tmp_path)


def run(memory: StoredHouse, command: str, redirection: str, *, unbuffered: bool = False) -> tuple[int, str, str]:
    """Run a command line in a shell of its own: exit code, standard output and error as far as they are ours."""
    line = f'"{sys.executable}" -m smartcharge --config config.yaml {command} {redirection}'
    environment = {**os.environ, "PYTHONUNBUFFERED": "1" if unbuffered else "", "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(
        ["bash", "-c", f"{line}; exit ${{PIPESTATUS[0]}}"],
        cwd=memory.folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.skipif(not FULL.exists(), reason="this system has no full device")
@pytest.mark.parametrize("unbuffered", [False, True])
def test_what_a_full_disk_does_not_take_is_told_in_a_line(memory: StoredHouse, *, unbuffered: bool) -> None:
    assert run(memory, "status", "> /dev/full", unbuffered=unbuffered) == (1, "", LOST)


@pytest.mark.skipif(not FULL.exists(), reason="this system has no full device")
def test_where_nothing_can_be_said_at_all_the_exit_code_says_it(memory: StoredHouse) -> None:
    assert run(memory, "status", "> /dev/full 2> /dev/full") == (1, "", "")
    assert run(memory, "--config nowhere.yaml status", "2> /dev/full") == (4, "", "")


@pytest.mark.parametrize("unbuffered", [False, True])
def test_a_reader_who_has_left_wanted_no_more(memory: StoredHouse, *, unbuffered: bool) -> None:
    assert run(memory, "history --json", "| true", unbuffered=unbuffered) == (0, "", "")


def test_without_any_output_a_command_works_all_the_same(memory: StoredHouse) -> None:
    assert run(memory, "status", ">&-") == (0, "", "")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no full device")
def test_what_is_done_matters_more_than_who_hears_of_it(memory: StoredHouse) -> None:
    code, _, said = run(memory, "pause", "> /dev/full")

    assert (code, said) == (1, LOST)
    assert "paused" in memory.run("status").stdout
