"""One pretend Zappi: what the car draws, as the charger's cloud would record it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

IDLE_GRID_W = 480

STATUS = {"A": 1, "B1": 1, "B2": 1, "C1": 1, "C2": 3, "F": 0}
"""`sta` for a pilot state, as a healthy charger shows it: 1 paused, 3 diverting, 0 starting."""

FINE_STATUS = {"A": 1, "B1": 5, "B2": 9, "C1": 3, "C2": 12, "F": 21}
"""`zsh` for a pilot state: 1 disconnected, 5 waiting, 9 delayed by the car, 12 charging, 21 fault."""

STILL: dict[str, object] = {
    "pwm": 5300,
    "lck": 16,
    "vol": 2412,
    "frq": 50.01,
    "pha": 1,
    "pri": 1,
    "cmt": 254,
    "bsm": 0,
    "bst": 0,
    "bss": 0,
    "mgl": 50,
    "fwv": "3562S5.782",
}
"""What a record says whatever the car does."""


@dataclass(slots=True)
class Zappi:
    """A charger; may be changed at any time by a test or a story.

    watts: power into the car.  pst: control pilot state (IEC 61851 letter and offer).
    lag_s: age of its stamps at the cloud.  silent_since: it has sent nothing since then; None while it sends.
    changes: raw record keys replaced.  without: raw record keys left out.
    """

    serial: int
    watts: int = 0
    pst: str = "A"
    lag_s: float = 3
    silent_since: datetime | None = None
    session_kwh: float = 0.0
    changes: dict[str, object] = field(default_factory=dict)
    without: tuple[str, ...] = ()

    def advance(self, elapsed: timedelta) -> None:
        """Let time pass: energy goes into the car, and a car that leaves takes its session along."""
        self.session_kwh = 0.0 if self.pst == "A" else self.session_kwh + self.watts * elapsed.total_seconds() / 3.6e6

    def record(self, now: datetime, extra_age_s: float = 0.0) -> dict[str, object]:
        """The charger's entry in `/cgi-jstatus-Z`; stamps in UTC."""
        stamp = (self.silent_since or now) - timedelta(seconds=self.lag_s + extra_age_s)
        made: dict[str, object] = {
            "deviceClass": "ZAPPI",
            "sno": self.serial,
            "dat": f"{stamp:%d-%m-%Y}",
            "tim": f"{stamp:%H:%M:%S}",
            "dst": 0,
            "tz": 0,
            "ectt1": "Internal Load",
            "ectp1": self.watts,
            "ectt2": "Grid",
            "ectp2": self.watts + IDLE_GRID_W,
            "ectt3": "None",
            "ectp3": 0,
            "ectt4": "None",
            "ectt5": "None",
            "ectt6": "None",
            "div": self.watts,
            "gen": 0,
            "grd": self.watts + IDLE_GRID_W,
            "pst": self.pst,
            "sta": STATUS.get(self.pst, 1),
            "zsh": FINE_STATUS.get(self.pst, 1),
            "zmo": 3,
            "che": round(self.session_kwh, 2),
        }
        return {key: value for key, value in (STILL | made | self.changes).items() if key not in self.without}
