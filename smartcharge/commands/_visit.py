"""The owner's visit to a command that asks: minutes may pass over an answer, and none of them is a run's time."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from smartcharge import budget, wiring
from smartcharge.errors import Busy, Unreachable
from smartcharge.session import Session
from smartcharge.store import services, transaction
from smartcharge.toolbox import Toolbox

if TYPE_CHECKING:
    from smartcharge.config import Config


class Visit:
    """From the command's start to its end, with runs of their own in between."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._began = time.monotonic()
        self.config: Config = session.toolbox(looking=True).config

    @property
    def now(self) -> datetime:
        """The present instant (UTC), however long the owner has taken."""
        return self._session.now + timedelta(seconds=time.monotonic() - self._began)

    @contextmanager
    def run(self) -> Iterator[Toolbox]:
        """Give tools that may ask somebody, with a whole run's time from now on."""
        with closing(self._session._replace(now=self.now).toolbox()) as tools:
            tools.prepare_to_ask()
            try:
                with budget.share(budget.COMMAND_SECONDS):
                    yield tools
            except budget.OutOfTime:
                raise Unreachable("the service took too long to answer") from None
            except Busy:
                tools.warn("nothing was changed: another run is at work; try again in a minute")
                raise


def forgive(tools: Toolbox, service: str) -> None:
    """A new sign-in ends a remembered refusal at once."""
    with transaction(tools.db):
        services.succeeded(tools.db, service, tools.now)


def say_what_is_next(tools: Toolbox) -> None:
    """Point to the other sign-in where it is missing, else to the doctor."""
    account, tesla = wiring.kraken_account(tools.config), tools.config.tesla
    if account.credentials is None and not account.token_file.exists():
        tools.say("Next: `smartcharge login kraken`.")
    elif tesla and wiring.tesla_fingerprint(tools.config) == "absent":
        tools.say("Next: `smartcharge login tesla`.")
    else:
        tools.say("Next: `smartcharge doctor` looks at all the rest.")
