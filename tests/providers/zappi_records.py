"""A Zappi's record for the tests: a car that draws 7 kW at half past one on a winter's day."""

from datetime import UTC, datetime
from typing import Any

from smartcharge.policy.model import ChargerReading
from smartcharge.providers.myenergi import parse_reading

NOW = datetime(2026, 11, 22, 13, 30, tzinfo=UTC)
THRESHOLD_W = 500.0
BASE_RECORD: dict[str, Any] = {
    "deviceClass": "ZAPPI", "sno": 17000001, "dat": "22-11-2026", "tim": "13:29:40", "dst": 0, "tz": 0,
    "ectt1": "Internal Load", "ectp1": 7150, "ectt2": "Grid", "ectp2": 7900, "ectt3": "None", "ectp3": 0,
    "ectt4": "None", "ectt5": "None", "ectt6": "None", "div": 7150, "gen": 0, "grd": 7900, "pst": "C2", "sta": 3,
    "zmo": 1, "che": 2.4, "zsh": 12, "pwm": 5300, "lck": 16, "vol": 2412, "frq": 50.01, "pha": 1, "pri": 1,
    "cmt": 254, "bsm": 0, "bst": 0, "bss": 0, "mgl": 50, "fwv": "3562S5.782",
}  # fmt: skip
LEFT_OUT = object()


def zappi_record(**changes: object) -> dict[str, Any]:
    """The base record with some keys replaced, or left out."""
    return {key: value for key, value in (BASE_RECORD | changes).items() if value is not LEFT_OUT}


def parse_records(*records: object, now: datetime = NOW, pinned: str | None = None) -> ChargerReading:
    """Judge an answer with these records."""
    return parse_reading({"zappi": list(records)}, now, threshold_w=THRESHOLD_W, pinned_serial=pinned)
