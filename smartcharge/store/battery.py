"""What is remembered of the battery: one row, written only where it differs."""

import sqlite3

from smartcharge.core.stance import BatteryMemory, Stance
from smartcharge.store.times import from_text_or_none, to_text_or_none


def memory(db: sqlite3.Connection) -> BatteryMemory:
    """Give what is remembered; before the first write that is nothing."""
    row = db.execute("SELECT * FROM battery").fetchone()
    if row is None:
        return BatteryMemory()
    return BatteryMemory(
        owned_since=from_text_or_none(row["owned_since"]),
        owns_mode=bool(row["owns_mode"]),
        owns_reserve=bool(row["owns_reserve"]),
        before=None if row["before_mode"] is None else Stance(row["before_mode"], row["before_reserve_pct"]),
        confirmed_mode=row["confirmed_mode"],
        confirmed_reserve_pct=row["confirmed_reserve_pct"],
        in_doubt_since=from_text_or_none(row["in_doubt_since"]),
        unproven_until=from_text_or_none(row["unproven_until"]),
        leased_until=from_text_or_none(row["leased_until"]),
        rate_plan_missing=bool(row["rate_plan_missing"]),
        rested_at=from_text_or_none(row["rested_at"]),
    )


def save(db: sqlite3.Connection, memory: BatteryMemory) -> None:
    """Remember this instead; what is remembered already is not written again."""
    values = _values(memory)
    row = db.execute(f"SELECT {', '.join(values)} FROM battery").fetchone()  # noqa: S608  # our own names
    if row is None or tuple(row) != tuple(values.values()):
        places = ", ".join(f":{column}" for column in values)
        db.execute(
            f"INSERT OR REPLACE INTO battery (id, {', '.join(values)}) VALUES (1, {places})",  # noqa: S608  # as above
            values,
        )


def _values(memory: BatteryMemory) -> dict[str, str | int | None]:
    return {
        "owned_since": to_text_or_none(memory.owned_since),
        "owns_mode": int(memory.owns_mode),
        "owns_reserve": int(memory.owns_reserve),
        "before_mode": memory.before.mode if memory.before else None,
        "before_reserve_pct": memory.before.reserve_pct if memory.before else None,
        "confirmed_mode": memory.confirmed_mode,
        "confirmed_reserve_pct": memory.confirmed_reserve_pct,
        "in_doubt_since": to_text_or_none(memory.in_doubt_since),
        "unproven_until": to_text_or_none(memory.unproven_until),
        "leased_until": to_text_or_none(memory.leased_until),
        "rate_plan_missing": int(memory.rate_plan_missing),
        "rested_at": to_text_or_none(memory.rested_at),
    }
