"""The files of the installation: whose they are, who else may read them, and whether they can be written."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from stat import S_IWOTH

from smartcharge.act.doctor.findings import Area, Finding
from smartcharge.toolbox import Toolbox
from smartcharge.wiring import KRAKEN_TOKENS

HERE = Area("files")
OTHERS = 0o077
FULL_BYTES, LITTLE_BYTES = 1_000_000, 50_000_000


def examine(tools: Toolbox) -> Iterator[Finding]:
    """The folder first: what is missing in it is made there."""
    folder = next(place for place in (tools.config.folder, *tools.config.folder.parents) if place.is_dir())
    yield from _folder(folder, is_made=folder == tools.config.folder)
    yield _disk(folder)
    present = [path for path in _private_files(tools) if path.exists()]
    findings = [finding for path in present for finding in _file(path)]
    yield from findings or [HERE.ok("private", f"nobody else may read {_names(present)}")]


def _private_files(tools: Toolbox) -> Iterator[Path]:
    yield tools.config.database_path
    yield tools.config.folder / KRAKEN_TOKENS
    tesla = tools.config.tesla_sign_in
    yield tesla
    yield tesla.with_name(f"{tesla.name}.good")


def _names(paths: list[Path]) -> str:
    return ", ".join(path.name for path in paths) or "the files, of which there are none yet"


def _folder(folder: Path, *, is_made: bool) -> Iterator[Finding]:
    found = folder.stat()
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        mend = "Mount it for writing; a memory card that turns read-only by itself is usually worn out: replace it"
        yield HERE.error("folder", f"the disk that holds {folder} can only be read", mend)
    elif not os.access(folder, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
        yield HERE.error("folder", f"{folder} may not be written by this user", _belongs(folder))
    elif found.st_uid != os.geteuid():
        says = f"{folder} belongs to another user than the one who asks, so cron may fare otherwise"
        yield HERE.warning("folder", says, "Run the doctor as the user whose crontab runs smartcharge")
    elif found.st_mode & S_IWOTH:
        yield HERE.warning("folder", f"{folder} may be written by everybody", f"Run `chmod o-w {folder}`")
    else:
        yield HERE.ok("folder", f"{folder} can be written" if is_made else f"will be made in {folder}")


def _file(path: Path) -> Iterator[Finding]:
    if not os.access(path, os.R_OK | os.W_OK, effective_ids=True):
        yield HERE.error("private", f"{path} may not be written by this user", _belongs(path))
    elif path.stat().st_mode & OTHERS:
        yield HERE.warning("private", f"{path} can be read by other users", f"Run `chmod 600 {path}`")


def _belongs(path: Path) -> str:
    return f"Give it to the user whose crontab runs smartcharge: `sudo chown -R THAT_USER {path}`"


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    says = f"{free / 1e6:,.0f} MB are free on the disk that holds {folder}"
    if free < FULL_BYTES:
        return HERE.error("disk", says, "Free some space: a sign-in that cannot be stored is lost")
    if free < LITTLE_BYTES:
        return HERE.warning("disk", says, "Free some space")
    return HERE.ok("disk", says)
