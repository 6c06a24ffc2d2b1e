"""The Promela model of the return of the battery keeps its properties, and its properties notice mistakes."""

from pathlib import Path

import pytest
from spin_model import check_model, is_spin_installed, mistakes_in_model

pytestmark = pytest.mark.skipif(not is_spin_installed(), reason="needs spin and gcc")

MISTAKES = {
    # the mistake, and a part of the property that notices it
    "IGNORE_LOCK": "acting==1",
    "LOCK_NEEDS_WRITABLE_DISK": "runs_ended_in_calm",
    "DATABASE_ONLY": "runs_ended_in_calm",
    "WITHOUT_SETTLING": "runs_ended_in_calm",
    "FILE_AFTER_COMMAND": "hold_file",
    "FORGET_BEFORE_RELEASE": "hold_file",
    "WITHOUT_TOKEN_COPY": "token_copy",
}
UNLOCKED_RENEWAL = "TOKEN_WITHOUT_LOCKS"
"""No mistake of the program but a limit: on a file system without locks two runs may renew one token at once."""


def test_the_battery_always_comes_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = check_model(tmp_path)
    with capsys.disabled():
        print(f"\nbattery_return.pml: {result.states:,} states, {result.transitions:,} transitions")  # noqa: T201

    assert result.violated is None
    assert result.states > 1_000_000


@pytest.mark.parametrize(("mistake", "noticed_by"), MISTAKES.items(), ids=MISTAKES)
def test_a_mistake_is_noticed(mistake: str, noticed_by: str, tmp_path: Path) -> None:
    assert noticed_by in (check_model(tmp_path, f"-D{mistake}").violated or "")


def test_without_locks_a_token_may_be_lost(tmp_path: Path) -> None:
    assert "token_copy" in (check_model(tmp_path, "-DLOCKS_MAY_FAIL", f"-D{UNLOCKED_RENEWAL}").violated or "")


def test_every_mistake_of_the_model_is_tried() -> None:
    assert mistakes_in_model() == sorted([*MISTAKES, UNLOCKED_RENEWAL])
