"""A Tesla Powerwall 3 by its own gateway on the house's network, over the unmodified pypowerwall (`v1r`).

Neither Tesla's cloud nor the internet has a part in it. Both values go in one signed write; and a hold is better
asked for as Tesla's own timed Max Backup, which the gateway ends by itself, whatever becomes of this computer.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from msgspec.structs import replace

from smartcharge.adapters import _powerwall_gateway_answers as answers
from smartcharge.adapters._powerwall_facts import facts_in
from smartcharge.adapters._powerwall_gateway import asking_gateway, gateway_session, gateway_trouble
from smartcharge.adapters._powerwall_hearing import Hearing
from smartcharge.adapters._powerwall_keeping import SERVICE
from smartcharge.core.stance import AUTONOMOUS, BACKUP, FULL_PCT, SELF_CONSUMPTION, BatteryFacts, BatteryReading, Write
from smartcharge.errors import LeaseUnknown, NotConfirmed

MODES = (BACKUP, AUTONOMOUS, SELF_CONSUMPTION)
TIMEOUT_SECONDS = 5
UNHEARD_OF = "unexpected response payload"
"""What the library says where the gateway does not know of backup events."""


class GatewayBattery:
    """One gateway's battery; a context that holds one conversation, under the caller's lock.

    host: the gateway's address. key: the private key's file. now: the run's instant (UTC), by which a lease is
    measured. timeout_seconds: for each step of a connection; only `budget.share` bounds the whole.
    """

    def __init__(
        self, *, host: str, password: str, key: Path, now: datetime, timeout_seconds: int = TIMEOUT_SECONDS
    ) -> None:
        self._host = host
        self._password = password
        self._key = key
        self._now = now
        self._timeout_seconds = timeout_seconds
        self._session = ExitStack()
        self._powerwall: Any = None

    def __enter__(self) -> Self:
        """Connect: 3 requests, the last of which tries the key."""
        with ExitStack() as opened:
            talk = gateway_session(self._host, self._password, self._key, self._timeout_seconds)
            self._powerwall = opened.enter_context(talk)
            self._session = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up."""
        self._session.__exit__(kind, failure, trace)

    def read(self) -> BatteryReading:
        """3 requests: the settings, the backup events, and the state of the battery and the grid.

        Raises `Unreachable` or `SignInRefused` where the first two cannot be had. Without the third, powers,
        state of energy and capacity are None.
        """
        with self._asking() as heard:
            config, events = self._settings(heard), self._events(heard)
            client = self._powerwall.client
            status = client.tedapi.get_status(force=True)
            powers = answers.powers(client.extract_grid_status(status), events, self._now)
        soe_pct, capacity_kwh = answers.charge(status)
        reading = answers.stance(config, events, self._now)
        return replace(reading, soe_pct=soe_pct, capacity_kwh=capacity_kwh, powers=powers)

    def read_stance(self) -> BatteryReading:
        """2 requests: the settings and the backup events; raises as `read` does. What was not asked for is None."""
        with self._asking() as heard:
            return answers.stance(self._settings(heard), self._events(heard), self._now)

    def facts(self) -> BatteryFacts:
        """1 request: the settings; raises as `read` does. What a gateway does not tell is None."""
        with self._asking() as heard:
            site = answers.section(self._settings(heard), "site_info")
        return facts_in({"site_name": site.get("site_name"), "components": site}, sites=1)

    def set_mode(self, mode: str) -> None:
        """2 requests; raises as `write` does."""
        self.write(Write(mode=mode))

    def set_reserve_pct(self, reserve_pct: int) -> None:
        """2 requests; app scale, 0-100 %. Raises as `write` does."""
        self.write(Write(reserve_pct=reserve_pct))

    def write(self, write: Write) -> None:
        """2 requests for the settings, which are read and written as a whole; 2 for a lease, 1 for its end.

        Raises `LeaseUnknown` where the gateway knows of no backup events, `NotConfirmed` for a value that is none.
        """
        with self._asking() as heard:
            if write.ends_lease:
                is_taken = self._powerwall.cancel_max_backup()
            elif write.until:
                is_taken = self._lease(write.until, heard)
            else:
                result = self._powerwall.post("/api/operation", _payload(write))
                is_taken = isinstance(result, Mapping) and "error" not in result
            if not is_taken:
                raise gateway_trouble(heard, self._key)

    def _lease(self, until: datetime, heard: Hearing) -> bool:
        is_taken = self._powerwall.schedule_max_backup(round((until - self._now).total_seconds()))
        if not is_taken and f"schedule_max_backup: {UNHEARD_OF}" in heard.said:
            raise LeaseUnknown("the gateway cannot hold by itself", service=SERVICE)
        return bool(is_taken)

    def _asking(self) -> AbstractContextManager[Hearing]:
        return asking_gateway(self._key)

    def _settings(self, heard: Hearing) -> Mapping[str, object]:
        config = self._powerwall.client.tedapi.get_config(force=True)
        if not isinstance(config, Mapping):
            raise gateway_trouble(heard, self._key)
        return config

    def _events(self, heard: Hearing) -> Mapping[str, object]:
        events = self._powerwall.get_backup_events()
        if events is None and UNHEARD_OF not in heard.said:
            raise gateway_trouble(heard, self._key)
        return events if isinstance(events, Mapping) else {}


def _payload(write: Write) -> dict[str, object]:
    if write.mode is not None and write.mode not in MODES:
        raise NotConfirmed("the Powerwall cannot be asked for an operation mode of that name", service=SERVICE)
    if write.reserve_pct is not None and not 0 <= write.reserve_pct <= FULL_PCT:
        raise NotConfirmed(f"the Powerwall cannot be asked for a reserve of {write.reserve_pct} %", service=SERVICE)
    both = {"real_mode": write.mode, "backup_reserve_percent": write.reserve_pct}
    return {key: value for key, value in both.items() if value is not None}
