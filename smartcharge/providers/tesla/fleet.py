"""A Tesla Powerwall through Tesla's Fleet API, over the unmodified pypowerwall.

Tesla's supported way, billed by the request: so nothing is asked for twice, and 7 requests hold a battery. What
the library returns proves nothing, so the raw answers are read here, and a missing field stays missing.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from smartcharge.errors import (
    ConfigurationError,
    NotConfirmedError,
    RatePlanMissingError,
    ThrottledError,
    UnreachableError,
)
from smartcharge.policy.battery import (
    FULL_RESERVE_PCT,
    MODE_AUTONOMOUS,
    MODE_BACKUP,
    MODE_SELF_CONSUMPTION,
    BatteryFacts,
    BatteryReading,
)
from smartcharge.providers.http import limit_http_libraries
from smartcharge.providers.tesla.parse import parse_battery_facts, parse_battery_reading, unwrap_response
from smartcharge.providers.tesla.pypowerwall import LogCapture, translate_library_errors
from smartcharge.providers.tesla.tokens import (
    FLEET_AUTH_FILE,
    FLEET_FILE_KEYS,
    FLEET_URL_EUROPE,
    TESLA_SERVICE,
    back_up_fleet_tokens,
    check_fleet_token_file,
    fleet_folder,
    fleet_sign_in_fix,
)

PRODUCTS_PATH = "api/1/products"
FLEET_CACHE_SECONDS = 60
"""Longer than any session: what was asked for once and is not forced again costs no second request."""


def fleet_fix_by_status(folder: Path) -> Mapping[int, str]:
    """What the owner is to do about a refusal, by its status."""
    scopes = "Let the application have the scopes energy_device_data and energy_cmds, then sign in anew"
    return {401: fleet_sign_in_fix(folder), 403: f"{scopes}. {fleet_sign_in_fix(folder)}"}


@contextmanager
def open_fleet_session(folder: Path, site_id: int | None, timeout_seconds: int) -> Iterator[tuple[Any, LogCapture]]:
    """The library's object, connected or not, and what was captured from it; its file, checked before, is kept."""
    import pypowerwall

    limit_http_libraries()
    library: Any = pypowerwall  # not typed
    powerwall: Any = None
    try:
        with fleet_folder(folder) as library_folder, translate_library_errors(fleet_fix_by_status(folder)) as captured:
            powerwall = library.Powerwall(
                siteid=site_id,
                authpath=str(library_folder),
                timeout=timeout_seconds,
                pwcacheexpire=FLEET_CACHE_SECONDS,
                cloudmode=True,
                fleetapi=True,
                failover=False,
                retry_modes=False,
            )
        with suppress(UnreachableError):  # a sign-in renewed by connecting is copied at once; a kill may come any time
            back_up_fleet_tokens(folder, _get_tokens_in_memory(powerwall))
        yield powerwall, captured
    except BaseException:
        with suppress(UnreachableError):
            _close_fleet_session(powerwall, folder)
        raise
    _close_fleet_session(powerwall, folder)


def get_fleet_client(powerwall: Any) -> Any:  # noqa: ANN401 - the library is not typed
    """The library's own client of the Fleet API, where it got as far as having one."""
    return getattr(getattr(powerwall, "client", None), "fleet", None)


def list_fleet_products(powerwall: Any) -> list[Mapping[str, object]] | None:  # noqa: ANN401
    """What the account owned when the session began; None where Tesla did not say. Costs no request."""
    answer = getattr(get_fleet_client(powerwall), "pwcache", {}).get(PRODUCTS_PATH)
    listed = answer.get("response") if isinstance(answer, Mapping) else None
    return [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else None


def _get_tokens_in_memory(powerwall: Any) -> dict[str, object]:  # noqa: ANN401
    fleet = get_fleet_client(powerwall)
    return {key: getattr(fleet, key, None) for key in FLEET_FILE_KEYS}


def _close_fleet_session(powerwall: Any, folder: Path) -> None:  # noqa: ANN401
    try:
        back_up_fleet_tokens(folder, _get_tokens_in_memory(powerwall))
    finally:
        _close_http_client()


def _close_http_client() -> None:
    """Close the one connection that the library keeps for all its sessions; it makes a new one when asked."""
    from pypowerwall.fleetapi import fleetapi

    client: Any = getattr(fleetapi, "_http2_client", None)
    if client is not None:
        client.close()


FLEET_MODES = (MODE_BACKUP, MODE_AUTONOMOUS, MODE_SELF_CONSUMPTION)
HTTP_GONE, HTTP_MISDIRECTED = 410, 421
ACCEPTED_CODES = (200, 201)
FLEET_TIMEOUT_SECONDS = 5
SITE_PATH = "api/1/energy_sites/{}/{}"


class FleetBattery:
    """One site's battery; a context that holds one session, under the caller's lock.

    site_id: Tesla's number of the energy site; None where the sign-in's file, or there being only one,
    decides. folder: where that file is. timeout_seconds: for each step of a connection; only `deadline.time_limit`
    bounds the whole. place: the file that the site was configured in. now (UTC): as in the check of the file.
    """

    def __init__(
        self,
        *,
        site_id: str | None,
        folder: Path,
        timeout_seconds: int = FLEET_TIMEOUT_SECONDS,
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
        self._throttled: ThrottledError | None = None

    def __enter__(self) -> Self:
        """Connect: 1 request, or 2 where no site is named anywhere."""
        self._throttled = None
        with ExitStack() as opened:
            named = check_fleet_token_file(self._folder, self._now)
            site_id = self._site_id or named
            session = open_fleet_session(self._folder, site_id, self._timeout_seconds)
            self._powerwall, captured = opened.enter_context(session)
            self._require_battery(captured, is_named=site_id is not None)
            self._session = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the session, and make sure of the sign-in that the library leaves behind."""
        self._session.__exit__(kind, failure, trace)

    @property
    def site(self) -> str:
        """Tesla's number of the energy site; empty until connected."""
        site_id = getattr(get_fleet_client(self._powerwall), "site_id", None)
        return "" if site_id is None else str(site_id)

    def read(self) -> BatteryReading:
        """2 requests: the settings, and the live state with the outside powers.

        Raises `UnreachableError`, `ThrottledError` or `SignInRefusedError` where the settings cannot be read. Without
        the live state, powers, state of energy and capacity are None.
        """
        with self._asking() as captured:
            site = self._settings(captured)
        with self._asking() as captured:
            live = self._live()
            self._throttled = _get_throttled_error(captured)
        return parse_battery_reading(site, live)

    def read_settings(self) -> BatteryReading:
        """1 request: the settings alone; raises as `read` does. What was not asked for is None."""
        with self._asking() as captured:
            return parse_battery_reading(self._settings(captured), None)

    def facts(self) -> BatteryFacts:
        """1 request: the settings; raises as `read` does."""
        with self._asking() as captured:
            return parse_battery_facts(self._settings(captured), sites=len(self._batteries()))

    def set_mode(self, mode: str) -> None:
        """1 request. Raises `RatePlanMissingError` for HTTP 410, `NotConfirmedError` for any mode but the three."""
        if mode not in FLEET_MODES:
            raise NotConfirmedError(
                "the Powerwall cannot be asked for an operation mode of that name", service=TESLA_SERVICE
            )
        self._command(lambda powerwall: powerwall.set_mode(mode), needs_rate_plan=mode == MODE_AUTONOMOUS)

    def set_reserve_pct(self, reserve_pct: int) -> None:
        """1 request; app scale, 0-100 %, of which Tesla takes 0-80 and 100."""
        if not 0 <= reserve_pct <= FULL_RESERVE_PCT:
            raise NotConfirmedError(
                f"the Powerwall cannot be asked for a reserve of {reserve_pct} %", service=TESLA_SERVICE
            )
        self._command(lambda powerwall: powerwall.set_reserve(reserve_pct))

    def _asking(self) -> AbstractContextManager[LogCapture]:
        return translate_library_errors(fleet_fix_by_status(self._folder), is_signed_in=True)

    def _ask(self, what: str) -> Mapping[str, object] | None:
        fleet = get_fleet_client(self._powerwall)
        return unwrap_response(fleet.poll(SITE_PATH.format(fleet.site_id, what), force=True))

    def _settings(self, captured: LogCapture) -> Mapping[str, object]:
        site = self._ask("site_info")
        if site is None:
            raise captured.error()
        return site

    def _live(self) -> Mapping[str, object] | None:
        try:
            return self._ask("live_status")
        except (OSError, ValueError):  # no connection, or a page in place of an answer
            return None

    def _command(self, command: Callable[[Any], object], *, needs_rate_plan: bool = False) -> None:
        if self._throttled:  # the library keeps a wait that Tesla asked for with its questions only
            raise self._throttled
        with self._asking() as captured:
            if _is_accepted(command(self._powerwall)):
                return
            if needs_rate_plan and captured.status() == HTTP_GONE:
                told = "Tesla refuses time-based control: the Tesla app holds no rate plan"
                raise RatePlanMissingError(told, service=TESLA_SERVICE)
            raise captured.error(otherwise="Tesla did not take the command")

    def _batteries(self) -> dict[int, str]:
        """The account's sites with a battery, number and name; costs no request."""
        listed = list_fleet_products(self._powerwall) or []
        found = [each for each in listed if each.get("resource_type") == "battery"]
        return {number: str(each.get("site_name")) for each in found if isinstance(number := _get_site_id(each), int)}

    def _require_battery(self, captured: LogCapture, *, is_named: bool) -> None:
        listed = list_fleet_products(self._powerwall)
        if captured.status() == HTTP_MISDIRECTED or listed == []:
            right = (
                f"For the United Kingdom and Europe it is {FLEET_URL_EUROPE}. Or sign in as the owner of the Powerwall."
            )
            problem = "names a Fleet API server that knows no energy site of this account"
            raise ConfigurationError(problem, place=str(self._folder / FLEET_AUTH_FILE), key="AUDIENCE", right=right)
        if listed is None:
            raise captured.error()
        batteries = self._batteries()
        if get_fleet_client(self._powerwall).site_id in batteries and (is_named or len(batteries) == 1):
            return
        known = ", ".join(f"{number} ({name})" for number, name in batteries.items())
        right = f"Use one of {known}." if known else "Sign in with the account that owns the Powerwall."
        told = "does not name one Powerwall of the Tesla account"
        raise ConfigurationError(told, place=self._place, key="tesla.energy_site_id", right=right)


def _get_site_id(product: Mapping[str, object]) -> object:
    return product.get("energy_site_id")


def _get_throttled_error(captured: LogCapture) -> ThrottledError | None:
    trouble = captured.error()
    return trouble if isinstance(trouble, ThrottledError) else None


def _is_accepted(result: object) -> bool:
    """Whether the library's answer to a command is free of errors, which is the most that it can prove."""
    parts = list(result.values()) if isinstance(result, Mapping) else []
    told = [unwrap_response(each.get("result")) for each in parts if isinstance(each, Mapping)]
    codes = [
        {str(key).lower(): value for key, value in each.items()}.get("code", ACCEPTED_CODES[0]) for each in told if each
    ]
    return bool(codes) and len(codes) == len(parts) and all(code in ACCEPTED_CODES for code in codes)
