"""A Tesla Powerwall through Tesla's cloud, over the unmodified pypowerwall.

What the library returns proves nothing, and its conveniences fill gaps with zeros; so the raw answers are
read here, and a missing field stays missing. Its own way of closing a session is never used: it logs out.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from smartcharge.adapters._powerwall_facts import facts_in
from smartcharge.adapters._powerwall_hearing import Hearing
from smartcharge.adapters._powerwall_session import NO_SITE, WRONG_SITE, asking, connected_site, session, sites
from smartcharge.adapters._powerwall_tokens import SERVICE
from smartcharge.core.stance import AUTONOMOUS, BACKUP, FULL_PCT, SELF_CONSUMPTION, BatteryFacts, BatteryReading, Power
from smartcharge.errors import ConfigurationRefused, NotConfirmed, RatePlanMissing

SITE_FILE = ".pypowerwall.site"
MODES = (BACKUP, AUTONOMOUS, SELF_CONSUMPTION)
GONE = 410
TIMEOUT_SECONDS = 5


class PowerwallBattery:
    """One site's battery; a context that holds one conversation, under the caller's lock.

    site_id: Tesla's number of the energy site; None where the library's own site file, or there being only
    one, decides. auth_folder: where the library keeps its files. timeout_seconds: for each step of a
    connection; only `budget.share` bounds the whole. place: the file that the site was configured in.
    now (UTC): an access token that lasts beyond it is used even on a full disk; None: a full disk refuses.
    """

    def __init__(
        self,
        *,
        email: str,
        site_id: str | None,
        auth_folder: Path,
        timeout_seconds: int = TIMEOUT_SECONDS,
        place: str = "configuration",
        now: datetime | None = None,
    ) -> None:
        self._now = now
        self._email = email
        self._site_id = int(site_id) if site_id else None
        self._folder = auth_folder
        self._timeout_seconds = timeout_seconds
        self._place = place
        self._session = ExitStack()
        self._powerwall: Any = None

    def __enter__(self) -> Self:
        """Connect: 2 requests, or 3 where no site is named anywhere."""
        with ExitStack() as opened:
            talk = session(self._email, self._site_id, self._folder, self._timeout_seconds, self._now)
            self._powerwall, heard = opened.enter_context(talk)
            with asking():
                self._require_battery(heard)
            self._session = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the conversation, and make sure of the sign-in that the library leaves behind."""
        self._session.__exit__(kind, failure, trace)

    def read(self) -> BatteryReading:
        """2 requests: the settings, and the live state with the outside powers.

        Raises `Unreachable`, `Throttled` or `SignInRefused` where the settings cannot be had. Without the
        live state, powers and state of energy are None.
        """
        with asking() as heard:
            site = self._settings(heard)
            live = _response(self._powerwall.client.get_site_power(force=True))
        return BatteryReading(
            mode=_mode(site),
            reserve_pct=_pct(site.get("backup_reserve_percent")),
            soe_pct=None if live is None else _pct(live.get("percentage_charged")),
            powers=None if live is None else _powers(live),
        )

    def read_stance(self) -> BatteryReading:
        """1 request: the settings alone; raises as `read` does. What was not asked for is None."""
        with asking() as heard:
            site = self._settings(heard)
        return BatteryReading(_mode(site), _pct(site.get("backup_reserve_percent")), powers=None)

    def facts(self) -> BatteryFacts:
        """2 requests: the settings, and the account's sites; raises as `read` does."""
        with asking() as heard:
            return facts_in(self._settings(heard), sites=len(sites(self._powerwall)))

    def set_mode(self, mode: str) -> None:
        """2 requests. Raises `RatePlanMissing` where Tesla answers 410, `NotConfirmed` for any mode but the three."""
        if mode not in MODES:
            raise NotConfirmed("the Powerwall cannot be asked for an operation mode of that name", service=SERVICE)
        self._command(lambda powerwall: powerwall.set_mode(mode), needs_rate_plan=mode == AUTONOMOUS)

    def set_reserve_pct(self, reserve_pct: int) -> None:
        """2 requests; app scale, 0-100 %, of which Tesla takes 0-80 and 100."""
        if not 0 <= reserve_pct <= FULL_PCT:
            raise NotConfirmed(f"the Powerwall cannot be asked for a reserve of {reserve_pct} %", service=SERVICE)
        self._command(lambda powerwall: powerwall.set_reserve(reserve_pct))

    def _settings(self, heard: Hearing) -> Mapping[str, object]:
        site = _response(self._powerwall.client.get_site_config(force=True))
        if site is None:
            raise heard.trouble()
        return site

    def _command(self, command: Callable[[Any], object], *, needs_rate_plan: bool = False) -> None:
        with asking() as heard:
            # Without the gateway's number the library would write to the first battery of the account.
            if not self._powerwall.din():
                raise heard.trouble(otherwise="Tesla does not say which gateway this is, so nothing was written")
            result = command(self._powerwall)
            if "BatteryNotFound" in str(result):
                raise self._misfit("has no battery with this gateway")
            _require_taken(result, heard, needs_rate_plan=needs_rate_plan)

    def _require_battery(self, heard: Hearing) -> None:
        site = connected_site(self._powerwall)
        if site is None and NO_SITE in heard.said:
            raise self._misfit("has no energy site")
        if site is None and WRONG_SITE in heard.said:
            raise self._misfit("has no site of this number")
        if site is None:
            raise heard.trouble()
        if site.get("resource_type") != "battery":
            raise self._misfit("has no Powerwall at this site")
        is_named = self._site_id is not None or (self._folder / SITE_FILE).exists()
        if not is_named and len(sites(self._powerwall)) > 1:
            raise self._misfit("has more than one site")

    def _misfit(self, problem: str) -> ConfigurationRefused:
        """Tell the owner which sites there are; 1 request."""
        known = ", ".join(f"{number} ({name})" for number, name in sites(self._powerwall))
        right = f"It should be one of {known}." if known else "Sign in with the account that owns the Powerwall."
        file = self._folder / SITE_FILE
        if self._site_id is None and file.exists():
            return ConfigurationRefused(
                f"the Tesla account {problem}", place=str(file), right=f"Delete the file. {right}"
            )
        told = f"does not name one Powerwall: the Tesla account {problem}"
        key = "tesla.energy_site_id" if known else "tesla.account_email"
        return ConfigurationRefused(told, place=self._place, key=key, right=right)


def site_choices(
    *, email: str, auth_folder: Path, timeout_seconds: int = TIMEOUT_SECONDS
) -> tuple[tuple[int, str], ...]:
    """The sites with a Powerwall that this sign-in may see, number and name; 3 requests. Raises as entering does."""
    with session(email, None, auth_folder, timeout_seconds) as (powerwall, heard):
        if connected_site(powerwall) is None and NO_SITE not in heard.said and WRONG_SITE not in heard.said:
            raise heard.trouble()
        with asking():
            return sites(powerwall)


def _require_taken(result: object, heard: Hearing, *, needs_rate_plan: bool) -> None:
    """Raise unless the library's answer is free of errors, which is the most that it can prove."""
    if isinstance(result, Mapping) and "error" not in result:
        return
    told = f"HTTP {result['error']}" if isinstance(result, Mapping) else ""
    if needs_rate_plan and heard.status(told) == GONE:
        raise RatePlanMissing("Tesla refuses time-based control: the Tesla app holds no rate plan", service=SERVICE)
    raise heard.trouble(told, otherwise="Tesla did not take the command")


def _response(answer: object) -> Mapping[str, object] | None:
    inner = answer.get("response") if isinstance(answer, Mapping) else None
    return inner if isinstance(inner, Mapping) else None


def _mode(site: Mapping[str, object]) -> str | None:
    mode = site.get("default_real_mode")
    return mode if isinstance(mode, str) and mode else None


def _pct(value: object) -> float | None:
    """A percentage as it should be; None for anything else, so that a gap is never taken for an empty battery."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= FULL_PCT else None


def _powers(live: Mapping[str, object]) -> frozenset[Power]:
    """The outside powers at work; a key that is missing tells of none."""
    island = live.get("island_status")
    active = {
        Power.STORM_WATCH: live.get("storm_mode_active") is True,
        Power.GRID_SERVICES: live.get("grid_services_active") is True,
        Power.OFF_GRID: isinstance(island, str) and island.startswith("off_grid"),
    }
    return frozenset(power for power, is_active in active.items() if is_active)
