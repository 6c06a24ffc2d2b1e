"""Bounded reading of regular files, for everything that is opened by a path; light enough for an idle run."""

import os
from errno import EFBIG, EINVAL
from stat import S_ISREG

MAX_SMALL_FILE_BYTES = 64 * 1024
"""More than any configuration, note, token file or hold file holds."""


def temporary_folder() -> str:
    """Give the system's temporary folder without trying to write there, as `tempfile` does to find it."""
    return os.environ.get("TMPDIR") or "/tmp"  # noqa: S108  # only private files are made there


def open_regular_file(path: str | os.PathLike[str]) -> int:
    """Open a regular file for reading and give its descriptor; `OSError` for a pipe, device, socket or folder.

    Opening a pipe without O_NONBLOCK would wait for a writer, and opening some devices has effects of its own.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    if S_ISREG(os.fstat(handle).st_mode):
        return handle
    os.close(handle)
    raise OSError(EINVAL, "it is not a regular file", os.fspath(path))


def read_regular_file(path: str | os.PathLike[str], limit: int = MAX_SMALL_FILE_BYTES) -> bytes:
    """Give the content of a regular file of at most `limit` bytes; `OSError` for a larger one, too."""
    with os.fdopen(open_regular_file(path), "rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(EFBIG, f"it is larger than {limit} bytes", os.fspath(path))
    return content


def read_own_file(path: str | os.PathLike[str], limit: int = MAX_SMALL_FILE_BYTES) -> bytes:
    """As `read_regular_file`, for a file in a folder where others may write: `OSError` where somebody else owns it."""
    handle = open_regular_file(path)
    with os.fdopen(handle, "rb") as file:
        if os.fstat(handle).st_uid != os.geteuid():
            raise OSError(EINVAL, "it belongs to another user", os.fspath(path))
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(EFBIG, f"it is larger than {limit} bytes", os.fspath(path))
    return content
