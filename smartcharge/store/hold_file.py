"""The hold file: a second record of a hold, beside the database, that is enough to end the hold by.

`powerwall-hold.json` is there as long as any of the Powerwall's settings is ours to bring back. It says which Powerwall
it is, how to reach it, what was written, what is to be restored, and when.

Whatever is read is data from outside. A file that is there and says nothing usable still counts as a hold: then its
fields are None, and the reader falls back on what is configured.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec import Struct, convert, to_builtins
from msgspec.structs import replace

from smartcharge.errors import StoreError
from smartcharge.files import PRIVATE_MODE, UNWRITABLE_FIX, write_private_file
from smartcharge.policy.battery import (
    CLAMPED_RESERVE_PCT,
    FULL_RESERVE_PCT,
    SETTLING_TIME,
    BatteryMemory,
    BatterySettings,
)
from smartcharge.regular_file import read_own_file, read_regular_file, temporary_folder
from smartcharge.store import HOLD_FILE_NAME
from smartcharge.store.times import format_optional_instant, parse_instant

HOLD_FILE_VERSION = 1
LONGEST_HOLD = timedelta(hours=2)
"""A hold ends with a half hour that has begun, or with the one after it. A time further ahead is damage."""
VALID_YEARS = range(2000, 2200)
MAX_TEXT_CHARACTERS = 4096
RELEASE_LEAD = timedelta(seconds=90)
"""As `control.release_lead_seconds` is by default: the configuration may be what is broken."""
MAX_RUN_DURATION = timedelta(minutes=1)
"""A run may act on what another wrote that began after it."""
VALID_AFTER_END = timedelta(hours=24)
HOLD_MODES = ("backup", "self_consumption")
RESTING_MODES = ("autonomous", "self_consumption")


class HoldFile(Struct, frozen=True, kw_only=True):
    """What a hold file says; None where it does not say it, or not in a usable way.

    backend, site, auth_path, account_email, gateway_host, gateway_password, rsa_key_path: which Powerwall, and how to
    reach it. until: end of the hold. started_at, written_at: when the Powerwall became ours, and when the file was
    written (UTC). set_mode, set_reserve_pct: what was written; restore: what is to be restored. owns_mode,
    owns_reserve: which of the values are ours. memory: what else the database knew of the Powerwall. digest: of the
    file's bytes.
    """

    backend: str | None = None
    site: str | None = None
    auth_path: str | None = None
    account_email: str | None = None
    gateway_host: str | None = None
    gateway_password: str | None = None
    rsa_key_path: str | None = None
    until: datetime | None = None
    started_at: datetime | None = None
    written_at: datetime | None = None
    set_mode: str | None = None
    set_reserve_pct: int | None = None
    restore_mode: str | None = None
    restore_reserve_pct: int | None = None
    owns_mode: bool = True
    owns_reserve: bool = True
    memory: BatteryMemory | None = None
    digest: str = ""

    @property
    def restore(self) -> BatterySettings | None:
        """What to restore; None where that is not known whole."""
        if self.restore_mode is None or self.restore_reserve_pct is None:
            return None
        return BatterySettings(self.restore_mode, self.restore_reserve_pct)

    def is_ahead_of(self, now: datetime) -> bool:
        """Whether it was written later than now, so that the clock has gone back since."""
        return self.written_at is not None and self.written_at > now + MAX_RUN_DURATION

    def is_due(self, now: datetime) -> bool:
        """Whether the hold is to end now: near its end, or where it is not known when that is."""
        return self.until is None or now >= self.until - RELEASE_LEAD

    def is_expired(self, now: datetime) -> bool:
        """Whether the hold should have ended so long ago that the owner has to look."""
        return self.until is not None and now > self.until + VALID_AFTER_END

    def to_memory(self, now: datetime, resting: BatterySettings) -> BatteryMemory:
        """Give the memory of a Powerwall that is ours. resting: what is restored where the file does not say it."""
        memory = self.memory or BatteryMemory(settings_before=self.restore or resting)
        is_known = self.set_mode is not None and self.set_reserve_pct is not None
        is_in_doubt = not is_known or memory.unconfirmed is not None
        return replace(
            memory,
            owned_since=self.started_at or memory.owned_since or self.written_at or now,
            owns_mode=self.owns_mode,
            owns_reserve=self.owns_reserve,
            confirmed_mode=self.set_mode,
            confirmed_reserve_pct=self.set_reserve_pct,
            in_doubt_since=(memory.in_doubt_since or now) if is_in_doubt else None,
            unverified_until=_still_ahead(memory.unverified_until, now),
        )


def hold_file_path(folder: Path) -> Path:
    """Give the place of the hold file in the database's folder."""
    return folder / HOLD_FILE_NAME


def read_hold_file(folder: Path) -> HoldFile | None:
    """Give what the hold file says; None where there is none, or where a note says that its hold was ended."""
    path = hold_file_path(folder)
    try:
        content = read_regular_file(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        content = f"unreadable: {error.strerror}".encode()
    file = parse_hold_file(content)
    return None if _is_noted_as_released(path, file) else file


def parse_hold_file(content: bytes) -> HoldFile:
    """Read each field by itself, so that damage to one of them does not take the others along; never raises."""
    try:
        loaded = json.loads(content)
    except (ValueError, RecursionError):
        loaded = None
    fields: Mapping[str, Any] = loaded if isinstance(loaded, dict) and _is_intact(loaded) else {}
    written_at, until = _instant(fields.get("written_at")), _instant(fields.get("until"))
    if until is not None and (written_at is None or abs(until - written_at) > LONGEST_HOLD):
        until = None
    texts = ("backend", "site", "auth_path", "account_email", "gateway_host", "gateway_password", "rsa_key_path")
    wrote, restore, owns = (_mapping(fields.get(key)) for key in ("set", "restore", "owns"))
    return HoldFile(
        **{name: _text(fields.get(name)) for name in texts},
        until=until,
        started_at=_instant(fields.get("started_at")),
        written_at=written_at,
        set_mode=_one_of(wrote.get("mode"), HOLD_MODES),
        set_reserve_pct=_reserve_pct(wrote.get("reserve_pct")),
        restore_mode=_one_of(restore.get("mode"), RESTING_MODES),
        restore_reserve_pct=_reserve_pct(restore.get("reserve_pct")),
        owns_mode=owns.get("mode") is not False or owns.get("reserve") is False,
        owns_reserve=owns.get("reserve") is not False or owns.get("mode") is False,
        memory=_memory(fields.get("memory")),
        digest=_sha256(content),
    )


def write_hold_file(folder: Path, file: HoldFile) -> None:
    """Write it to a temporary file, sync and rename that. Raises `StoreError` where the folder does not take it."""
    content: dict[str, object] = {
        "version": HOLD_FILE_VERSION,
        "backend": file.backend,
        "site": file.site,
        "auth_path": file.auth_path,
        "account_email": file.account_email,
        "gateway_host": file.gateway_host,
        "gateway_password": file.gateway_password,
        "rsa_key_path": file.rsa_key_path,
        "until": format_optional_instant(file.until),
        "started_at": format_optional_instant(file.started_at),
        "written_at": format_optional_instant(file.written_at),
        "set": {"mode": file.set_mode, "reserve_pct": file.set_reserve_pct},
        "restore": {"mode": file.restore_mode, "reserve_pct": file.restore_reserve_pct},
        "owns": {"mode": file.owns_mode, "reserve": file.owns_reserve},
        "memory": None if file.memory is None else to_builtins(file.memory),
    }
    content["checksum"] = _checksum(content)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private_file(hold_file_path(folder), json.dumps(content).encode())
    except OSError as error:
        raise StoreError(
            f"{hold_file_path(folder)} cannot be written ({error.strerror})", fix=UNWRITABLE_FIX
        ) from error


def update_memory_in_hold_file(folder: Path, memory: BatteryMemory) -> None:
    """Keep what a release has asked for so far. Raises `StoreError` where the folder does not take it."""
    file = read_hold_file(folder)
    if file is not None and memory.owned:
        owned = replace(file, memory=memory, owns_mode=memory.owns_mode, owns_reserve=memory.owns_reserve)
        write_hold_file(folder, owned)


def remove_hold_file(folder: Path) -> None:
    """Remove it after a verified release; where the disk does not allow that, note that its hold was ended.

    The note lies in the system's temporary folder and holds the digest of the hold file that it is about.
    """
    path = hold_file_path(folder)
    try:
        path.unlink()
    except FileNotFoundError:
        return
    except OSError:
        file = read_hold_file(folder)
        if file is not None:
            _note_as_released(path, file)


def _release_note_path(path: Path) -> Path:
    name = _sha256(os.fsencode(path.absolute()))[:16]
    return Path(temporary_folder(), f"smartcharge-{os.geteuid()}-{name}.released")


def _is_noted_as_released(path: Path, file: HoldFile) -> bool:
    try:
        return read_own_file(_release_note_path(path)).decode("ascii") == file.digest
    except (OSError, ValueError):
        return False


def _note_as_released(path: Path, file: HoldFile) -> None:
    """Without room for the note the release is done again by the next run, which then finds nothing to write."""
    note = _release_note_path(path)
    with suppress(OSError):
        with suppress(FileNotFoundError):
            note.unlink()  # never written through: it could be somebody else's link
        handle = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_MODE)
        with os.fdopen(handle, "w", encoding="ascii") as written:
            written.write(file.digest)


def _still_ahead(until: datetime | None, now: datetime) -> datetime | None:
    """Give the end of a wait that goes on; None for one that is over, or that a wrong clock wrote down."""
    return until if until is not None and now < until <= now + SETTLING_TIME else None


def _is_intact(fields: Mapping[str, object]) -> bool:
    """Whether the content is what was written: a changed letter in a name would lead to another battery."""
    if "checksum" not in fields:
        return True  # written by hand
    return fields["checksum"] == _checksum({key: value for key, value in fields.items() if key != "checksum"})


def _checksum(content: Mapping[str, object]) -> str:
    return _sha256(json.dumps(content).encode())


def _mapping(found: object) -> Mapping[str, object]:
    return found if isinstance(found, dict) else {}


def _text(found: object) -> str | None:
    """Give one line of text of a sensible length, else None."""
    is_text = isinstance(found, str) and 0 < len(found) <= MAX_TEXT_CHARACTERS and found.isprintable()
    return str(found) if is_text else None


def _one_of(found: object, known: tuple[str, ...]) -> str | None:
    return str(found) if found in known else None


def _reserve_pct(found: object) -> int | None:
    """Give a reserve that Tesla takes: 0-80 or 100 %."""
    if isinstance(found, bool) or not isinstance(found, int):
        return None
    return found if 0 <= found <= CLAMPED_RESERVE_PCT or found == FULL_RESERVE_PCT else None


def _memory(found: object) -> BatteryMemory | None:
    """Give a memory whose every time is one that can be; else None."""
    try:
        memory = convert(found, BatteryMemory)
        moments = [getattr(memory, name) for name in memory.__struct_fields__]
        return memory if all(_is_valid_instant(each) for each in moments if isinstance(each, datetime)) else None
    except (ValueError, OverflowError, RecursionError):
        return None


def _is_valid_instant(instant: datetime) -> bool:
    return instant.tzinfo is not None and instant.year in VALID_YEARS


def _instant(found: object) -> datetime | None:
    try:
        instant = parse_instant(found) if isinstance(found, str) else None
    except (ValueError, OverflowError):
        return None
    return instant if instant is not None and _is_valid_instant(instant) else None


def _sha256(content: bytes) -> str:
    import hashlib  # noqa: PLC0415  # a run without a hold needs none

    return hashlib.sha256(content).hexdigest()
