"""The clock, and what the zone data make of it."""

from collections.abc import Iterator
from datetime import timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from smartcharge.act.doctor import signs
from smartcharge.act.doctor.findings import Area, Finding
from smartcharge.core.clock import WRITTEN_AT, is_behind, is_too_early
from smartcharge.toolbox import Toolbox

HERE = Area("clock")
BRITISH = "Europe/London"
HALF_A_YEAR = timedelta(days=182)
MEND = "Let the network set it: `sudo timedatectl set-ntp true`"


def examine(tools: Toolbox) -> Iterator[Finding]:
    """Wrong clocks hold and release at wrong times."""
    written_at = signs.last_at(tools)
    if is_too_early(tools.now):
        yield HERE.error("time", f"it shows {tools.now:%F}, and this program is of {WRITTEN_AT:%F}", MEND)
    elif written_at and is_behind(tools.now, written_at):
        says = f"it shows {tools.now:%F %H:%MZ}, but something was written down at {written_at:%F %H:%MZ}"
        yield HERE.error("time", says, f"{MEND}. If it is right now it was wrong then, and this passes")
    else:
        yield HERE.ok("time", f"it shows {tools.now:%F %H:%MZ}, later than all that was written down")
    yield _zone(tools)


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
