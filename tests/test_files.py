"""Private files: whole or not at all, and what kills left of them goes."""

import os
from pathlib import Path

import pytest

from smartcharge.files import STALE_TEMP_SECONDS, create_private_file, write_private_file


def left_by_a_kill(folder: Path, name: str, *, seconds_ago: float) -> Path:
    path = folder / name
    path.write_text("half a file")
    then = path.stat().st_mtime - seconds_ago
    os.utime(path, (then, then))
    return path


def test_a_file_is_private_and_whole(tmp_path: Path) -> None:
    write_private_file(tmp_path / "tokens.json", b"{}")

    assert (tmp_path / "tokens.json").read_bytes() == b"{}"
    assert (tmp_path / "tokens.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["tokens.json"]


def test_what_kills_left_is_removed_once_it_is_old(tmp_path: Path) -> None:
    old = left_by_a_kill(tmp_path, ".tokens.json.abcd1234.new", seconds_ago=STALE_TEMP_SECONDS + 60)
    young = left_by_a_kill(tmp_path, ".tokens.json.efgh5678.new", seconds_ago=1)
    names = (".tokens.json.swp", ".tokens.json.new")
    foreign = [left_by_a_kill(tmp_path, name, seconds_ago=STALE_TEMP_SECONDS + 60) for name in names]

    write_private_file(tmp_path / "tokens.json", b"{}")

    assert not old.exists()
    assert young.exists()  # another run may be writing it
    assert all(file.exists() for file in foreign)


def test_a_new_file_is_private_and_takes_no_other_s_place(tmp_path: Path) -> None:
    create_private_file(tmp_path / "config.yaml", b"mine")

    with pytest.raises(FileExistsError):
        create_private_file(tmp_path / "config.yaml", b"another's")

    assert (tmp_path / "config.yaml").read_bytes() == b"mine"
    assert (tmp_path / "config.yaml").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]
