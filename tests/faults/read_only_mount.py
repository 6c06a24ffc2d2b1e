"""A folder whose file system takes no writing, for this process alone: a mount of its own, remounted read-only."""

import ctypes
import os

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18
"""Source: linux/sched.h and linux/mount.h."""


def remount_read_only(folder: str) -> None:
    """Let a folder be read-only for this process; `OSError` where the system allows no mounts in a namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) and libc.unshare(CLONE_NEWUSER | CLONE_NEWNS):
        raise _last_error("unshare")
    place = os.fsencode(folder)
    _mount(libc, b"none", b"/", MS_REC | MS_PRIVATE)
    _mount(libc, place, place, MS_BIND)
    _mount(libc, place, place, MS_BIND | MS_REMOUNT | MS_RDONLY)


def can_remount() -> bool:
    """Whether that is possible on this computer; tried in a child."""
    child = os.fork()
    if child == 0:
        try:
            remount_read_only("/tmp")  # noqa: S108  # only as a folder that exists
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _mount(libc: ctypes.CDLL, source: bytes, target: bytes, flags: int) -> None:
    if libc.mount(source, target, None, ctypes.c_ulong(flags), None):
        raise _last_error("mount")


def _last_error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), what)
