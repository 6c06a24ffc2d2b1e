"""Private files: whole or not at all, and what kills left of them goes."""

import errno
import fcntl
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from smartcharge.errors import LocksUnsupportedError
from smartcharge.files import STALE_TEMP_SECONDS, create_private_file, file_lock, require_locks, write_private_file
from smartcharge.regular_file import read_own_file, read_regular_file


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


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_folder(path: Path) -> None:
    path.mkdir()


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


@pytest.mark.parametrize("make", [make_pipe, make_folder, make_socket])
def test_only_regular_files_are_opened(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "x")

    with pytest.raises(OSError, match=r"regular file|No such device"):
        read_regular_file(tmp_path / "x")


def test_a_device_is_not_read() -> None:
    with pytest.raises(OSError, match="regular file"):
        read_regular_file("/dev/zero")


def test_a_file_larger_than_allowed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 101)

    assert read_regular_file(tmp_path / "large", 101) == b"x" * 101
    with pytest.raises(OSError, match="larger than 100 bytes"):
        read_regular_file(tmp_path / "large", 100)


def test_a_file_of_another_user_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "note").write_bytes(b"x")
    assert read_own_file(tmp_path / "note") == b"x"

    monkeypatch.setattr(os, "geteuid", lambda: (tmp_path / "note").stat().st_uid + 1)

    with pytest.raises(OSError, match="another user"):
        read_own_file(tmp_path / "note")


def refuse_to_write(monkeypatch: pytest.MonkeyPatch, refusal: int) -> None:
    """Let `os.open` refuse whatever is opened for writing, as on a file system that has turned read-only."""
    real = os.open

    def refuse(path: os.PathLike[str] | str, flags: int, *mode: int, dir_fd: int | None = None) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(refusal, os.strerror(refusal), os.fspath(path))
        return real(path, flags, *mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", refuse)


@pytest.mark.parametrize("has_lock_file", [True, False])
@pytest.mark.parametrize("refusal", [errno.EROFS, errno.EACCES])
def test_a_lock_needs_no_writable_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: int, *, has_lock_file: bool
) -> None:
    lock = tmp_path / "smartcharge.lock"
    if has_lock_file:
        lock.touch()
    refuse_to_write(monkeypatch, refusal)

    with file_lock(lock, wait_seconds=0) as first, file_lock(lock, wait_seconds=0) as second:
        assert (first, second) == (True, False)


@pytest.mark.parametrize("refusal", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: int) -> None:
    def refuse(*_: object) -> None:
        raise OSError(refusal, os.strerror(refusal))

    monkeypatch.setattr(fcntl, "flock", refuse)

    with pytest.raises(LocksUnsupportedError, match="no file locks"), file_lock(tmp_path / "x.lock", wait_seconds=0):
        pass
    with pytest.raises(LocksUnsupportedError):
        require_locks(tmp_path)


def test_a_lock_that_somebody_holds_is_no_missing_lock(tmp_path: Path) -> None:
    handle = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(handle, fcntl.LOCK_EX)

    try:
        assert require_locks(tmp_path) is None
    finally:
        os.close(handle)
