"""A Tesla Powerwall through Tesla's Fleet API, over the unmodified pypowerwall.

Tesla's supported way, billed by the request: so nothing is asked for twice, and 7 requests hold a battery. What
the library returns proves nothing, so the raw answers are read here, and a missing field stays missing.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from smartcharge.adapters._powerwall_answers import reading, response
from smartcharge.adapters._powerwall_facts import facts_in
from smartcharge.adapters._powerwall_fleet import fleet_of, fleet_session, products, refusals
from smartcharge.adapters._powerwall_fleet_file import EUROPE, FLEET_FILE, check_fleet
from smartcharge.adapters._powerwall_hearing import Hearing
from smartcharge.adapters._powerwall_keeping import SERVICE
from smartcharge.adapters._powerwall_session import asking
from smartcharge.core.stance import AUTONOMOUS, BACKUP, FULL_PCT, SELF_CONSUMPTION, BatteryFacts, BatteryReading
from smartcharge.errors import ConfigurationRefused, NotConfirmed, RatePlanMissing, Throttled

MODES = (BACKUP, AUTONOMOUS, SELF_CONSUMPTION)
GONE, ELSEWHERE = 410, 421
TAKEN = (200, 201)
TIMEOUT_SECONDS = 5
SITE = "api/1/energy_sites/{}/{}"


class FleetBattery:
    """One site's battery; a context that holds one conversation, under the caller's lock.

    site_id: Tesla's number of the energy site; None where the sign-in's file, or there being only one,
    decides. folder: where that file is. timeout_seconds: for each step of a connection; only `budget.share`
    bounds the whole. place: the file that the site was configured in. now (UTC): as in the check of the file.
    """

    def __init__(
        self,
        *,
        site_id: str | None,
        folder: Path,
        timeout_seconds: int = TIMEOUT_SECONDS,
        place: str = "configuration",
        now: datetime | None = None,
    ) -> None:
        self._site_id = int(site_id) if site_id else None
        self._folder = folder
        self._timeout_seconds = timeout_seconds
        self._place = place
        self._now = now
        self._session = ExitStack()
        self._powerwall: Any = None
        self._patience: Throttled | None = None

    def __enter__(self) -> Self:
        """Connect: 1 request, or 2 where no site is named anywhere."""
        self._patience = None
        with ExitStack() as opened:
            named = check_fleet(self._folder, self._now)
            site_id = self._site_id or named
            talk = fleet_session(self._folder, site_id, self._timeout_seconds)
            self._powerwall, heard = opened.enter_context(talk)
            self._require_battery(heard, is_named=site_id is not None)
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
        live state, powers, state of energy and capacity are None.
        """
        with self._asking() as heard:
            site = self._settings(heard)
        with self._asking() as heard:
            live = self._live()
            self._patience = _patience_in(heard)
        return reading(site, live)

    def read_stance(self) -> BatteryReading:
        """1 request: the settings alone; raises as `read` does. What was not asked for is None."""
        with self._asking() as heard:
            return reading(self._settings(heard), None)

    def facts(self) -> BatteryFacts:
        """1 request: the settings; raises as `read` does."""
        with self._asking() as heard:
            return facts_in(self._settings(heard), sites=len(self._batteries()))

    def set_mode(self, mode: str) -> None:
        """1 request. Raises `RatePlanMissing` where Tesla answers 410, `NotConfirmed` for any mode but the three."""
        if mode not in MODES:
            raise NotConfirmed("the Powerwall cannot be asked for an operation mode of that name", service=SERVICE)
        self._command(lambda powerwall: powerwall.set_mode(mode), needs_rate_plan=mode == AUTONOMOUS)

    def set_reserve_pct(self, reserve_pct: int) -> None:
        """1 request; app scale, 0-100 %, of which Tesla takes 0-80 and 100."""
        if not 0 <= reserve_pct <= FULL_PCT:
            raise NotConfirmed(f"the Powerwall cannot be asked for a reserve of {reserve_pct} %", service=SERVICE)
        self._command(lambda powerwall: powerwall.set_reserve(reserve_pct))

    def _asking(self) -> AbstractContextManager[Hearing]:
        return asking(refusals(self._folder))

    def _ask(self, what: str) -> Mapping[str, object] | None:
        fleet = fleet_of(self._powerwall)
        return response(fleet.poll(SITE.format(fleet.site_id, what), force=True))

    def _settings(self, heard: Hearing) -> Mapping[str, object]:
        site = self._ask("site_info")
        if site is None:
            raise heard.trouble()
        return site

    def _live(self) -> Mapping[str, object] | None:
        try:
            return self._ask("live_status")
        except (OSError, ValueError):  # no connection, or a page in place of an answer
            return None

    def _command(self, command: Callable[[Any], object], *, needs_rate_plan: bool = False) -> None:
        if self._patience:  # the library keeps a wait that Tesla asked for with its questions only
            raise self._patience
        with self._asking() as heard:
            if _is_taken(command(self._powerwall)):
                return
            if needs_rate_plan and heard.status() == GONE:
                told = "Tesla refuses time-based control: the Tesla app holds no rate plan"
                raise RatePlanMissing(told, service=SERVICE)
            raise heard.trouble(otherwise="Tesla did not take the command")

    def _batteries(self) -> dict[int, str]:
        """The account's sites with a battery, number and name; costs no request."""
        listed = products(self._powerwall) or []
        found = [each for each in listed if each.get("resource_type") == "battery"]
        return {number: str(each.get("site_name")) for each in found if isinstance(number := _number(each), int)}

    def _require_battery(self, heard: Hearing, *, is_named: bool) -> None:
        listed = products(self._powerwall)
        if heard.status() == ELSEWHERE or listed == []:
            right = f"For the United Kingdom and Europe it is {EUROPE}. Or sign in as the owner of the Powerwall."
            problem = "names a Fleet API server that knows no energy site of this account"
            raise ConfigurationRefused(problem, place=str(self._folder / FLEET_FILE), key="AUDIENCE", right=right)
        if listed is None:
            raise heard.trouble()
        batteries = self._batteries()
        if fleet_of(self._powerwall).site_id in batteries and (is_named or len(batteries) == 1):
            return
        known = ", ".join(f"{number} ({name})" for number, name in batteries.items())
        right = f"It should be one of {known}." if known else "Sign in with the account that owns the Powerwall."
        told = "does not name one Powerwall of the Tesla account"
        raise ConfigurationRefused(told, place=self._place, key="tesla.energy_site_id", right=right)


def _number(product: Mapping[str, object]) -> object:
    return product.get("energy_site_id")


def _patience_in(heard: Hearing) -> Throttled | None:
    trouble = heard.trouble()
    return trouble if isinstance(trouble, Throttled) else None


def _is_taken(result: object) -> bool:
    """Whether the library's answer to a command is free of errors, which is the most that it can prove."""
    parts = list(result.values()) if isinstance(result, Mapping) else []
    told = [response(each.get("result")) for each in parts if isinstance(each, Mapping)]
    codes = [{str(key).lower(): value for key, value in each.items()}.get("code", TAKEN[0]) for each in told if each]
    return bool(codes) and len(codes) == len(parts) and all(code in TAKEN for code in codes)
