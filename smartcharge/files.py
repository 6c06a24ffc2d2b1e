"""Private files that survive a power cut: written aside, synced, renamed; locks that die with their process."""

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from smartcharge.errors import LocksUnsupportedError, StoreError

PRIVATE_MODE = 0o600
LOCK_POLL_SECONDS = 0.1
TEMP_SUFFIX = ".new"
"""How files end that are still being written."""
UNWRITABLE_FIX = (
    "Free some space, or give the folder to the user who runs smartcharge; "
    "a memory card that turns read-only by itself is usually worn out"
)
STALE_TEMP_SECONDS = 600
UNWRITABLE_ERRNOS = {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT}
NO_LOCKS_ERRNOS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS}
"""What flock(2) answers on a network file system that has no lock service."""
NO_LOCKS_FIX = (
    "Move it to a disk of this computer (database.path): "
    "without locks two runs could give the Powerwall opposite commands"
)


def write_private_file(path: Path, content: bytes) -> None:
    """Replace a file as a whole, readable by its owner only; an `OSError` leaves the old one as it was."""
    handle, name = _open_temp_file(path)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    sync_folder(path.parent)
    _remove_stale_temp_files(path)


def create_private_file(path: Path, content: bytes) -> None:
    """Make a file that was not there, whole or not at all, as `write_private` does; `FileExistsError` where it was."""
    handle, name = _open_temp_file(path)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(name, path)
    finally:
        Path(name).unlink()
    sync_folder(path.parent)


def _open_temp_file(path: Path) -> tuple[int, str]:
    """A new file next to another, open, readable by its owner only, and its path."""
    import tempfile  # noqa: PLC0415  # an idle run writes no file

    return tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=TEMP_SUFFIX)


def _remove_stale_temp_files(path: Path) -> None:
    """A run that was killed in mid-write leaves its copy; one much older than the file just written is such a one."""
    written = path.stat().st_mtime
    for left in filter(partial(_is_temp_file_of, path), path.parent.iterdir()):
        with contextlib.suppress(OSError):
            if written - left.stat().st_mtime > STALE_TEMP_SECONDS:
                left.unlink()


def _is_temp_file_of(path: Path, other: Path) -> bool:
    """Whether a file has a name as `_beside` makes them."""
    begin, length = f".{path.name}.", len(path.name) + len(TEMP_SUFFIX) + 2
    return other.name.startswith(begin) and other.name.endswith(TEMP_SUFFIX) and len(other.name) > length


def sync_folder(folder: Path) -> None:
    """Make a rename in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_file_private(path: Path) -> None:
    """Take the group's and everybody's rights off a file, if they have any."""
    if path.stat().st_mode & 0o077:
        path.chmod(PRIVATE_MODE)


@contextmanager
def file_lock(path: Path, *, wait_seconds: float) -> Iterator[bool]:
    """Hold a kernel lock on a file during the block; yields whether it was had within `wait_seconds`.

    The kernel frees it when the process ends, however it ends. The wait is counted in naps, not by a clock, so that
    a clock that jumps does no harm. Where nothing may be written, the lock file that is there is locked as it is, or
    else its folder. Raises `LocksUnsupportedError` where the file system has no locks, `StoreError` where the folder
    cannot be opened at all.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = _open_for_lock(path)
    except OSError as error:
        raise StoreError(f"{path.parent} cannot be written ({error.strerror})", fix=UNWRITABLE_FIX) from error
    try:
        yield _try_lock(handle, path.parent, round(wait_seconds / LOCK_POLL_SECONDS))
    finally:
        os.close(handle)


def _open_for_lock(path: Path) -> int:
    """Open the lock file, made where it is missing; on a read-only disk the file as it is, or its folder."""
    common = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | common, PRIVATE_MODE)
    except OSError as error:
        if error.errno not in UNWRITABLE_ERRNOS:
            raise
    with contextlib.suppress(OSError):
        return os.open(path, os.O_RDONLY | common)
    return os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _try_lock(handle: int, folder: Path, attempts: int) -> bool:
    for _ in range(attempts + 1):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOCK_POLL_SECONDS)
        except OSError as error:
            raise _translate_lock_error(error, folder) from error
        else:
            return True
    return False


def require_locks(folder: Path) -> None:
    """Raise `LocksUnsupportedError` where the file system of a folder has no locks; who holds one does not matter."""
    with contextlib.suppress(FileNotFoundError, PermissionError, NotADirectoryError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        except OSError as error:
            raise _translate_lock_error(error, folder) from error
        finally:
            os.close(handle)


def _translate_lock_error(error: OSError, folder: Path) -> StoreError:
    if error.errno in NO_LOCKS_ERRNOS:
        return LocksUnsupportedError(f"the file system of {folder} has no file locks", fix=NO_LOCKS_FIX)
    return StoreError(f"{folder} cannot be locked ({error.strerror})", fix=UNWRITABLE_FIX)
