"""Checks of this computer: environment variables, files, clock, locks and database."""

import os
import shutil
import sqlite3
import ssl
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from stat import S_IWOTH
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from smartcharge.app import KRAKEN_TOKEN_FILE, App
from smartcharge.config.load import Config
from smartcharge.doctor.check import Check, CheckArea
from smartcharge.errors import AppError
from smartcharge.formatting import age_text
from smartcharge.policy.decide import (
    MAX_TRUSTED_CLOCK_LEAD,
    PROGRAM_RELEASED_AT,
    is_before_program_release,
    is_clock_behind,
)
from smartcharge.report.snapshot import load_last_activity_at
from smartcharge.store.database import DATABASE_DAMAGED, is_on_disk, open_store
from smartcharge.store.repair import find_refused_rows
from smartcharge.store.rows import DAMAGED_ROW_FIX
from smartcharge.store.schema import SCHEMA_VERSION

ENVIRONMENT_AREA = CheckArea("environment")
PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
CA_FILE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
PROXY_SCHEMES = {"http", "https", "socks5", "socks5h"}


def check_environment(_app: App) -> Iterator[Check]:
    """Check the variables that affect connections. Values are not shown: a proxy address may hold a password."""
    checks = [*_check_proxies(), *_check_certificates(), *_check_other_variables()]
    yield from checks or [ENVIRONMENT_AREA.ok("variables", "no proxy is set and the usual certificates are trusted")]


def _check_proxies() -> Iterator[Check]:
    named = {name: os.environ[name] for name in PROXY_VARIABLES if os.environ.get(name)}
    for name, value in named.items():
        host = _parse_proxy_host(value)
        if host is None:
            yield ENVIRONMENT_AREA.error(
                "proxy", f"${name} is not the address of a proxy", "Write it as http://host:port, or unset it"
            )
        else:
            yield ENVIRONMENT_AREA.ok("proxy", f"connections go through {host} (${name})")
    only_plain = {"HTTP_PROXY", "http_proxy"} & os.environ.keys()
    if only_plain and not named:
        message = f"${min(only_plain)} is set, but smartcharge uses HTTPS only, which ignores it"
        yield ENVIRONMENT_AREA.warning("proxy", message, "Set HTTPS_PROXY if you need a proxy")


def _parse_proxy_host(value: str) -> str | None:
    try:
        address = urlsplit(value)
        port = address.port
    except ValueError:
        return None
    if address.scheme not in PROXY_SCHEMES or not address.hostname:
        return None
    return f"{address.hostname}:{port}" if port else address.hostname


def _check_certificates() -> Iterator[Check]:
    for name in CA_FILE_VARIABLES:
        if path := os.environ.get(name):
            yield from _check_ca_file(name, Path(path))
    folder = os.environ.get("SSL_CERT_DIR")
    if folder and not Path(folder).is_dir():
        yield ENVIRONMENT_AREA.error("certificates", "$SSL_CERT_DIR is not a folder", "Correct it, or unset it")
    by_requests, by_httpx = (any(map(os.environ.get, names)) for names in (CA_FILE_VARIABLES[1:], ("SSL_CERT_FILE",)))
    if by_requests and not by_httpx:
        message = (
            f"${CA_FILE_VARIABLES[1]} is set without $SSL_CERT_FILE, so the connections to Tesla and myenergi "
            "do not trust the same certificates"
        )
        yield ENVIRONMENT_AREA.warning("certificates", message, "Set SSL_CERT_FILE to the same file")


def _check_ca_file(name: str, path: Path) -> Iterator[Check]:
    if path.is_dir():
        return
    try:
        ssl.create_default_context(cafile=str(path))
    except OSError as error:  # ssl's own errors are of this kind
        why = "there is no such file" if isinstance(error, FileNotFoundError) else "it holds no certificate"
        yield ENVIRONMENT_AREA.error("certificates", f"${name} cannot be used: {why}", "Correct it, or unset it")
    else:
        yield ENVIRONMENT_AREA.ok("certificates", f"the certificates in {path} are trusted (${name})")


def _check_other_variables() -> Iterator[Check]:
    look_ups = os.environ.get("RES_OPTIONS")
    if look_ups and "timeout:" not in look_ups:
        message = "$RES_OPTIONS sets no time-out, so a name look-up may take longer than a run"
        yield ENVIRONMENT_AREA.warning("name look-ups", message, "Add timeout:2 attempts:1, or unset it")
    if os.environ.get("SSLKEYLOGFILE"):
        message = "$SSLKEYLOGFILE is set, so the keys of every connection are written to a file"
        yield ENVIRONMENT_AREA.warning("certificates", message, "Unset it")


FILES_AREA = CheckArea("files")
OTHER_USERS_MODE_BITS = 0o077
DISK_FULL_BYTES, DISK_LOW_BYTES = 1_000_000, 50_000_000


def check_files(app: App) -> Iterator[Check]:
    """Check the folder and the files in it that must be private; missing files are made later."""
    folder = next(place for place in (app.config.folder, *app.config.folder.parents) if place.is_dir())
    yield from _check_folder(folder, is_made=folder == app.config.folder)
    yield _check_disk(folder)
    present = [path for path in _list_private_files(app.config) if path.exists()]
    checks = [check for path in present for check in _check_file(path)]
    yield from checks or [FILES_AREA.ok("private", f"only you can read {_file_names(present)}")]


def _list_private_files(config: Config) -> Iterator[Path]:
    yield config.database_path
    yield config.folder / KRAKEN_TOKEN_FILE
    token_file = config.tesla_credentials_file
    yield token_file
    yield token_file.with_name(f"{token_file.name}.good")


def _file_names(paths: list[Path]) -> str:
    return ", ".join(path.name for path in paths) or "the files; there are none yet"


def _check_folder(folder: Path, *, is_made: bool) -> Iterator[Check]:
    status = folder.stat()
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        fix = "Mount it for writing. A memory card that becomes read-only by itself is usually worn out: replace it"
        yield FILES_AREA.error("folder", f"the disk that holds {folder} is read-only", fix)
    elif not os.access(folder, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
        yield FILES_AREA.error("folder", f"this user cannot write to {folder}", _ownership_fix(folder))
    elif status.st_uid != os.geteuid():
        message = f"{folder} belongs to another user, so cron may get a different result"
        yield FILES_AREA.warning("folder", message, "Run the doctor as the user whose crontab runs smartcharge")
    elif status.st_mode & S_IWOTH:
        yield FILES_AREA.warning("folder", f"everybody can write to {folder}", f"Run `chmod o-w {folder}`")
    else:
        message = f"{folder} can be written to" if is_made else f"the folder will be made in {folder}"
        yield FILES_AREA.ok("folder", message)


def _check_file(path: Path) -> Iterator[Check]:
    if not os.access(path, os.R_OK | os.W_OK, effective_ids=True):
        yield FILES_AREA.error("private", f"this user cannot write to {path}", _ownership_fix(path))
    elif path.stat().st_mode & OTHER_USERS_MODE_BITS:
        yield FILES_AREA.warning("private", f"other users can read {path}", f"Run `chmod 600 {path}`")


def _ownership_fix(path: Path) -> str:
    return f"Give it to the user whose crontab runs smartcharge: `sudo chown -R THAT_USER {path}`"


def _check_disk(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    message = f"{free / 1e6:,.0f} MB are free on the disk that holds {folder}"
    if free < DISK_FULL_BYTES:
        return FILES_AREA.error("disk", message, "Free some space. A sign-in that cannot be stored is lost")
    if free < DISK_LOW_BYTES:
        return FILES_AREA.warning("disk", message, "Free some space")
    return FILES_AREA.ok("disk", message)


CLOCK_AREA = CheckArea("clock")
BRITISH_ZONE = "Europe/London"
HALF_YEAR = timedelta(days=182)
CLOCK_FIX = "Let the network set the clock: `sudo timedatectl set-ntp true`"


def check_clock(app: App) -> Iterator[Check]:
    """Check the clock and the time zone: with a wrong one, charges start and end at the wrong time."""
    yield _check_time(app.now, load_last_activity_at(app))
    yield _check_time_zone(app.now, app.policy.cheap_period.zone)


def _check_time(now: datetime, written_at: datetime | None) -> Check:
    shown = f"the clock shows {now:%F %H:%MZ}"
    if is_before_program_release(now):
        message = f"{shown}, but this program was released on {PROGRAM_RELEASED_AT:%F}"
        return CLOCK_AREA.error("time", message, CLOCK_FIX)
    if written_at is None or not is_clock_behind(now, written_at):
        return CLOCK_AREA.ok("time", f"clock OK ({now:%F %H:%MZ})")
    ahead = f"a run was recorded at {written_at:%F %H:%MZ}"
    if written_at - now > MAX_TRUSTED_CLOCK_LEAD:
        return CLOCK_AREA.warning(
            "time", f"{shown}, but {ahead}. That record is ignored", "Check that the clock is right now"
        )
    return CLOCK_AREA.error("time", f"{shown}, but {ahead}: no charge starts before that time", CLOCK_FIX)


def _check_time_zone(now: datetime, name: str) -> Check:
    local = now.astimezone(ZoneInfo(name))
    try:
        british = ZoneInfo(BRITISH_ZONE)
    except ZoneInfoNotFoundError:
        message = f"there is no time zone data for {BRITISH_ZONE}"
        return CLOCK_AREA.error("zone", message, "Install it: `pip install tzdata`")
    moments = (now, now + HALF_YEAR)
    if any(each.astimezone(british).utcoffset() != each.astimezone(ZoneInfo(name)).utcoffset() for each in moments):
        message = f"the time zone is {name}, but British tariffs use {BRITISH_ZONE}"
        return CLOCK_AREA.warning("zone", message, f"Set control.timezone to {BRITISH_ZONE}")
    if len({each.astimezone(british).utcoffset() for each in moments}) == 1:
        return CLOCK_AREA.warning(
            "zone", f"the time zone data for {BRITISH_ZONE} has no summer time", "Update it: `pip install -U tzdata`"
        )
    return CLOCK_AREA.ok("zone", f"local time is {local:%H:%M %Z} ({name})")


LOCKS_AREA = CheckArea("locks")
PROC_FOLDER = Path("/proc")
LONG_LOCK_AGE = timedelta(seconds=60)
"""No run takes this long."""
LOCK_FILES = ("smartcharge.lock", "fetch.lock", "mail.lock", ".kraken.json.lock")
DATABASE_SUFFIXES = ("", "-shm")
"""The database itself, and the file that programs share in write-ahead mode."""
LOCK_PID_COLUMN, LOCK_INODE_COLUMN = 4, 5
PROCESS_START_COLUMN = 19
"""The columns of /proc/locks, and of /proc/PID/stat after the name."""


class LockHolder(Struct, frozen=True):
    """A process that has locked a file. running_for: how long it has run, so the longest it can have held it."""

    pid: int
    name: str
    running_for: timedelta


def check_locks(app: App) -> Iterator[Check]:
    """Check the locks of runs, and those that other programs hold on the database."""
    checks = [*_check_run_locks(app.config.folder), *_check_database_locks(app.config.database_path)]
    yield from checks or [LOCKS_AREA.ok("held", "no program holds a lock for long")]


def _check_run_locks(folder: Path) -> Iterator[Check]:
    for name in LOCK_FILES:
        for holder in find_lock_holders(folder / name):
            message = f"process {holder.pid} ({holder.name}) has held {name} for up to {age_text(holder.running_for)}"
            fix = f"If that process hangs, end it with `kill {holder.pid}`"
            yield LOCKS_AREA.warning("held", f"{message}, so no run can do anything", fix)


def _check_database_locks(path: Path) -> Iterator[Check]:
    found = {holder for part in DATABASE_SUFFIXES for holder in find_lock_holders(path.with_name(f"{path.name}{part}"))}
    for holder in sorted(found, key=lambda each: each.pid):
        message = (
            f"process {holder.pid} ({holder.name}), running for {age_text(holder.running_for)}, "
            f"has {path.name} open and locked, so a run may not be able to write to it"
        )
        yield LOCKS_AREA.warning("database", message, "Close the database in that program")


def find_lock_holders(path: Path) -> tuple[LockHolder, ...]:
    """Return the other processes that have locked a file and have been running for long."""
    with suppress(OSError, ValueError, IndexError):
        file = path.stat()
        place = f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}:{file.st_ino}"
        rows = [line.split() for line in (PROC_FOLDER / "locks").read_text(encoding="ascii").splitlines()]
        pids = {int(row[LOCK_PID_COLUMN]) for row in rows if row[1] != "->" and row[LOCK_INODE_COLUMN] == place}
        found = map(_read_lock_holder, sorted(pids - {os.getpid()}))
        return tuple(holder for holder in found if holder.running_for > LONG_LOCK_AGE)
    return ()


def _read_lock_holder(pid: int) -> LockHolder:
    name, _, rest = (PROC_FOLDER / str(pid) / "stat").read_text(encoding="utf-8").partition("(")[2].rpartition(")")
    boot_seconds = float((PROC_FOLDER / "uptime").read_text(encoding="ascii").split()[0])
    started_seconds = int(rest.split()[PROCESS_START_COLUMN]) / os.sysconf("SC_CLK_TCK")
    return LockHolder(pid, name, timedelta(seconds=boot_seconds - started_seconds))


DATABASE_AREA = CheckArea("database")
NONEXISTENT_DATABASE = Path("/dev/null/no-database")
"""No file can exist here, so the database of this path is empty."""


def replace_unreadable_database(app: App) -> AppError | None:
    """Return why the database cannot be read, or None; the app then goes on with an empty one."""
    try:
        is_on_disk(app.read_only_db)
    except AppError as app_error:
        app.read_only_db = open_store(NONEXISTENT_DATABASE, read_only=True)
        return app_error
    return None


MAX_REPORTED_ROWS = 10


def _check_rows(db: sqlite3.Connection) -> Iterator[Check]:
    """Every row that the program cannot read, by table and key."""
    found = list(find_refused_rows(db))
    for refused in found[:MAX_REPORTED_ROWS]:
        yield DATABASE_AREA.error("rows", f"a row cannot be read: {refused}", DAMAGED_ROW_FIX)
    if len(found) > MAX_REPORTED_ROWS:
        yield DATABASE_AREA.error("rows", f"{len(found) - MAX_REPORTED_ROWS} more rows cannot be read", DAMAGED_ROW_FIX)
    if not found:
        yield DATABASE_AREA.ok("rows", "every row can be read")


def check_database(app: App) -> Iterator[Check]:
    """Check the database, which has been opened; nothing is written to it."""
    path = app.config.database_path
    if not path.exists():
        yield DATABASE_AREA.warning("file", f"{path} does not exist yet", "Run `smartcharge tick`, which makes it")
        return
    found = [str(row[0]) for row in app.read_only_db.execute("PRAGMA integrity_check(1)").fetchall()]
    if found == ["ok"]:
        yield DATABASE_AREA.ok("whole", f"{path} is not damaged ({path.stat().st_size / 1e6:,.1f} MB)")
    else:
        message = f"{path} {DATABASE_DAMAGED[0]} ({'; '.join(found)})"
        yield DATABASE_AREA.error("whole", message, f"{DAMAGED_ROW_FIX}. If that does not help: {DATABASE_DAMAGED[1]}")
    yield from _check_rows(app.read_only_db)
    if app.read_only_db.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        message = "another program keeps the database in write-ahead mode, which makes every run slower"
        yield DATABASE_AREA.warning("mode", message, "Close that program. The next run that writes corrects the mode")
    if is_on_disk(app.read_only_db):
        yield DATABASE_AREA.ok("schema", f"the database has schema version {SCHEMA_VERSION}, as this program expects")
    else:
        yield DATABASE_AREA.ok("schema", "the database has an older schema version; the next run updates it")
