"""A sign of life from every tick, for a watchdog that raises the alarm when it stays away."""

from contextlib import suppress

from smartcharge import budget, wiring
from smartcharge.store import episodes
from smartcharge.toolbox import Toolbox

SHARE_SECONDS = 4.0


def started(tools: Toolbox) -> None:
    """A tick has begun."""
    _tell(tools, "start")


def ended(tools: Toolbox) -> None:
    """A tick has ended: badly while trouble goes on that the owner was told of."""
    told = any(episode.told_at for episode in episodes.open_episodes(tools.peek))
    _tell(tools, "fail" if told else "")


def _tell(tools: Toolbox, stage: str) -> None:
    """Within a short share of the run; a watchdog that cannot be reached fails nothing."""
    url = tools.config.alerts.healthchecks_url
    if url is None or tools.dry_run:
        return
    tools.prepare_to_ask()
    is_heard = False
    with suppress(budget.OutOfTime), budget.share(SHARE_SECONDS):
        is_heard = wiring.ping(url.reveal(), stage)
    if not is_heard:
        tools.detail("the watchdog could not be reached")
