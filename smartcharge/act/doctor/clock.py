"""The clock, and what the zone data make of it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from smartcharge.act.doctor import signs
from smartcharge.act.doctor.findings import Area, Finding
from smartcharge.core.clock import BELIEVED, WRITTEN_AT, is_behind, is_too_early
from smartcharge.toolbox import Toolbox

HERE = Area("clock")
BRITISH = "Europe/London"
HALF_A_YEAR = timedelta(days=182)
MEND = "Let the network set it: `sudo timedatectl set-ntp true`"


def examine(tools: Toolbox) -> Iterator[Finding]:
    """Wrong clocks hold and release at wrong times."""
    yield _time(tools.now, signs.last_at(tools))
    yield _zone(tools)


def _time(now: datetime, written_at: datetime | None) -> Finding:
    shown = f"it shows {now:%F %H:%MZ}"
    if is_too_early(now):
        return HERE.error("time", f"{shown}, and this program is of {WRITTEN_AT:%F}", MEND)
    if written_at is None or not is_behind(now, written_at):
        return HERE.ok("time", f"{shown}, no earlier than all that was written down")
    ahead = f"something was written down at {written_at:%F %H:%MZ}"
    if written_at - now > BELIEVED:
        return HERE.warning("time", f"{shown}, but {ahead}, which is not believed", "See that the clock is right now")
    return HERE.error("time", f"{shown}, but {ahead}: nothing new begins before that", MEND)


def _zone(tools: Toolbox) -> Finding:
    name = tools.policy.cheap_period.zone
    local = tools.now.astimezone(ZoneInfo(name))
    try:
        british = ZoneInfo(BRITISH)
    except ZoneInfoNotFoundError:
        return HERE.error("zone", f"there are no data of {BRITISH}", "Install them: `pip install tzdata`")
    moments = (tools.now, tools.now + HALF_A_YEAR)
    if any(each.astimezone(british).utcoffset() != each.astimezone(ZoneInfo(name)).utcoffset() for each in moments):
        says = f"the nights are reckoned in {name}, and British tariffs go by {BRITISH}"
        return HERE.warning("zone", says, f"Set control.timezone to {BRITISH}")
    if len({each.astimezone(british).utcoffset() for each in moments}) == 1:
        return HERE.warning("zone", f"the data of {BRITISH} know no summer time", "Renew them: `pip install -U tzdata`")
    return HERE.ok("zone", f"local time is {local:%H:%M %Z} ({name})")
