"""Refusals that leave no place for an episode: told at once, and while they last once an hour, not every minute.

A configuration or a database that is refused keeps the database from remembering what was told. So that is noted in a
small file beside the configuration, as digests. Where that cannot be written either, all is told each time: rather too
often than never.
"""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from smartcharge.files import write_private

AGAIN = timedelta(hours=1)
TOLERANCE = timedelta(seconds=15)
"""Cron's minutes are not exact."""


def is_news(config: Path, command: str, line: str, now: datetime) -> bool:
    """Whether a command is to tell a line: it has not within the hour, or the configuration was changed since."""
    note = config.with_name(f".{config.name}.told")
    mark, told = _mark(config, f"{command}: {line}"), _told(note)
    recent = {each: at for each, at in told.items() if timedelta(0) <= now - at < AGAIN - TOLERANCE}
    if mark in recent:
        return False
    text = "".join(f"{each} {at.isoformat()}\n" for each, at in {**recent, mark: now.astimezone(UTC)}.items())
    with suppress(OSError):
        write_private(note, text.encode())
    return True


def _told(note: Path) -> dict[str, datetime]:
    """What was told, and when; nothing where that cannot be read."""
    with suppress(OSError, ValueError):
        pairs = (line.split() for line in note.read_text(encoding="ascii").splitlines())
        told = {mark: datetime.fromisoformat(at) for mark, at in pairs}
        return told if all(at.tzinfo for at in told.values()) else {}
    return {}


def _mark(config: Path, line: str) -> str:
    import hashlib  # noqa: PLC0415  # only who is in trouble needs it

    changed = 0
    with suppress(OSError):
        changed = config.stat().st_mtime_ns
    return hashlib.blake2b(f"{line} {changed}".encode(errors="replace"), digest_size=8).hexdigest()
