"""Compare this computer's clock with the time that a service's answer tells."""

from datetime import datetime, timedelta

from smartcharge.app import App
from smartcharge.errors import UnreachableError
from smartcharge.store.control import CLOCK_DOUBT_ALERT, confirm_clock
from smartcharge.store.database import transaction

MAX_CLOCK_ERROR = timedelta(minutes=5)
CLOCK_FIX = "let the network set the clock: `sudo timedatectl set-ntp true`"


def is_clock_right(app: App, server_time: datetime | None) -> bool:
    """Whether this computer's clock agrees with a service's; told once when it does not, and once when it does.

    server_time: what the service's answer said (UTC), None where it did not.
    """
    if server_time is None or abs(server_time - app.now) <= MAX_CLOCK_ERROR:
        if server_time is not None:
            with transaction(app.db):
                confirm_clock(app.db, app.now)
        app.alerts.resolve(*CLOCK_DOUBT_ALERT)
        return True
    reads = f"this computer's clock reads {app.now:%Y-%m-%d %H:%M} UTC, but it is {server_time:%Y-%m-%d %H:%M} UTC"
    error = UnreachableError(
        f"{reads}: until the clock is right, nothing is begun and no invite is sent", fix=CLOCK_FIX
    )
    app.alerts.record_failure(*CLOCK_DOUBT_ALERT, error, urgent=True)
    return False
