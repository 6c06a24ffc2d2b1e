"""Calendar invites."""

from smartcharge.toolbox import Toolbox


def run(tools: Toolbox) -> None:
    """Nothing waits yet."""
    tools.detail("send-invites: nothing waits")
