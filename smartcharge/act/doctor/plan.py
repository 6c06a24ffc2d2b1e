"""The plan: whether it is fresh enough to act on."""

from collections.abc import Iterator

from smartcharge.act.doctor.findings import Area, Finding
from smartcharge.act.show.overview import gather
from smartcharge.act.words import age
from smartcharge.toolbox import Toolbox

HERE = Area("plan")
ASK = "`smartcharge fetch-dispatches --now` asks for it"


def examine(tools: Toolbox) -> Iterator[Finding]:
    """Nothing new begins on a stale plan."""
    about = gather(tools)
    fetched_at = about.fetched_at
    if fetched_at is None:
        yield HERE.warning("fresh", "Kraken has never answered for a watched car", ASK)
    elif about.fresh:
        yield HERE.ok("fresh", f"Kraken answered {age(tools.now - fetched_at)} ago")
    else:
        yield HERE.warning("fresh", f"Kraken last answered {age(tools.now - fetched_at)} ago: nothing new begins", ASK)
    for device in about.devices:
        if device.watched and device.failures:
            says = f"device {device.device} has gone without an answer {device.failures} times: {device.last_error}"
            yield HERE.warning("answers", says, ASK)
