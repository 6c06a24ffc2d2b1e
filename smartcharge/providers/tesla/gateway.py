"""A Tesla Powerwall 3 by its own gateway on the house's network, over the unmodified pypowerwall (`v1r`).

Neither Tesla's cloud nor the internet has a part in it. Both values go in one signed write; and a hold is better
asked for as Tesla's own timed Max Backup, which the gateway ends by itself, whatever becomes of this computer.
"""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from msgspec.structs import replace

from smartcharge.errors import (
    AppError,
    ConfigurationError,
    NotConfirmedError,
    SignInRefusedError,
    TimedHoldUnsupportedError,
    UnreachableError,
)
from smartcharge.policy.battery import (
    FULL_RESERVE_PCT,
    MODE_AUTONOMOUS,
    MODE_BACKUP,
    MODE_SELF_CONSUMPTION,
    BatteryCommand,
    BatteryFacts,
    BatteryReading,
    BatterySettings,
    Lockout,
)
from smartcharge.providers.http import limit_http_libraries
from smartcharge.providers.tesla.parse import parse_battery_facts, parse_capacity_kwh, parse_pct
from smartcharge.providers.tesla.pypowerwall import LogCapture, translate_library_errors
from smartcharge.providers.tesla.tokens import TESLA_SERVICE, writable_folder
from smartcharge.regular_file import read_regular_file

GATEWAY_CACHE_SECONDS = 60
"""Longer than any session: what was asked for once and is not forced again costs no second request."""
KEY_UNVERIFIED_FIX = (
    "Within ten minutes of registering, switch the Powerwall off for 15 seconds and on again; "
    "after that register the same key anew: `python -m pypowerwall register -authpath {}`."
)
KEY_UNKNOWN_FIX = (
    "Set tesla.rsa_key_path to the key that was registered, or register it: `python -m pypowerwall register`."
)
GATEWAY_PASSWORD_FIX = "Set tesla.gateway_password to the password on the gateway's label."  # noqa: S105 - it names a key
GATEWAY_SIGN_IN_ERRORS = {
    "login failed (401)": ("the gateway refused its password", GATEWAY_PASSWORD_FIX),
    "login failed (403)": ("the gateway refused its password", GATEWAY_PASSWORD_FIX),
    "authorization not verified": ("the gateway knows the key, but has not seen it proven", KEY_UNVERIFIED_FIX),
    "PENDING_VERIFICATION": ("the gateway knows the key, but has not seen it proven", KEY_UNVERIFIED_FIX),
    "UNKNOWN_KEY_ID": ("the gateway does not know the key", KEY_UNKNOWN_FIX),
    "REFUSED_AT_ONCE": ("the gateway does not accept the key", KEY_UNKNOWN_FIX),
    "INVALID_SIGNATURE": ("the gateway does not accept the key's signature", KEY_UNKNOWN_FIX),
    "Unable to load PEM": ("the key's file holds no private key", KEY_UNKNOWN_FIX),
    "Could not deserialize": ("the key's file holds no private key", KEY_UNKNOWN_FIX),
    "private key is encrypted": ("the key's file is locked with a password", KEY_UNKNOWN_FIX),
}
"""What the library says where the owner must act; the first that fits.

An answer without content it takes for a refusal of the key, too. It is one only where nothing was ever answered.
"""
GATEWAY_UNREACHABLE_TEXTS = (
    "timed out",
    "Max retries exceeded",
    "Connection aborted",
    "No route to host",
    "RemoteDisconnected",
)


@contextmanager
def open_gateway_session(host: str, password: str, key: Path, timeout_seconds: int) -> Iterator[Any]:
    """The library's object, connected. Raises `UnreachableError` or `SignInRefusedError`; there is no fallback."""
    try:
        read_regular_file(key)
    except OSError as error:
        told = f"the private key {key} cannot be read: {error.strerror or type(error).__name__}"
        raise SignInRefusedError(told, fix=KEY_UNKNOWN_FIX, service=TESLA_SERVICE) from error
    import pypowerwall

    limit_http_libraries()
    library: Any = pypowerwall  # not typed
    powerwall: Any = None
    try:
        with writable_folder(key.parent, {}) as library_folder, translate_gateway_errors(key) as captured:
            powerwall = library.Powerwall(
                host=host,
                gw_pwd=password,
                rsa_key_path=str(key),
                timeout=timeout_seconds,
                pwcacheexpire=GATEWAY_CACHE_SECONDS,
                cachefile=str(library_folder / ".powerwall"),  # never written, but its folder must be writable
                failover=False,
                retry_modes=False,
            )
        tedapi = getattr(powerwall.client, "tedapi", None)
        if tedapi is None or _is_key_refused(tedapi):
            raise gateway_error(captured, key, "" if tedapi is None else "REFUSED_AT_ONCE")
        yield powerwall
    finally:
        if (client := getattr(powerwall, "client", None)) is not None:
            client.close_session()


@contextmanager
def translate_gateway_errors(key: Path) -> Iterator[LogCapture]:
    """Listen to the library, keep its warnings to ourselves, and put whatever it raises into our words."""
    with (
        translate_library_errors(in_words=lambda captured, told: gateway_error(captured, key, told)) as captured,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", UserWarning)
        yield captured


def gateway_error(captured: LogCapture, key: Path, extra_text: str = "") -> AppError:
    """Give the error for what was captured. extra_text: what an exception said."""
    told = captured.said + extra_text
    for sign, (message, fix) in GATEWAY_SIGN_IN_ERRORS.items():
        if sign in told:
            return SignInRefusedError(message, fix=fix.format(key.parent), service=TESLA_SERVICE)
    if any(sign in told for sign in GATEWAY_UNREACHABLE_TEXTS):
        return UnreachableError("the gateway could not be reached, or did not answer in time", service=TESLA_SERVICE)
    return UnreachableError("the gateway gave no usable answer", service=TESLA_SERVICE)


def _is_key_refused(tedapi: Any) -> bool:  # noqa: ANN401
    """Whether the question that the library asks to try the key was refused."""
    transport = tedapi.v1r_transport
    return bool(transport.pending_verification or transport.key_unknown)


GATEWAY_OFFSET_PCT, GATEWAY_SCALE = 5, 0.95
"""The gateway counts from the bottom of the battery: its figure is 0.95 times the app's, plus 5."""
GATEWAY_TOLERANCE_PCT = 2.0
"""The 5 are not the same on every system, so it may read a point or two off (https://github.com/bolagnaise/PowerSync)."""
GRID_ISLANDED = "SystemIslandedActive"
"""The library's word for a house without the grid."""


def parse_gateway_reading(config: Mapping[str, object], events: Mapping[str, object], now: datetime) -> BatteryReading:
    """How the gateway acts: a manual backup event that is not over outranks its settings."""
    mode = config.get("default_real_mode")
    reserve_pct = _to_app_pct(get_section(config, "site_info").get("backup_reserve_percent"))
    found = BatteryReading(
        mode if isinstance(mode, str) and mode else None,
        reserve_pct,
        lockouts=None,
        reserve_accuracy_pct=GATEWAY_TOLERANCE_PCT,
    )
    until = _event_end(get_section(events, "manual_backup"))
    if found.mode is None or found.reserve_pct is None or until is None or until <= now:
        return found
    underlying_settings = BatterySettings(found.mode, round(found.reserve_pct))
    return BatteryReading(
        MODE_BACKUP,
        FULL_RESERVE_PCT,
        lockouts=None,
        reserve_accuracy_pct=GATEWAY_TOLERANCE_PCT,
        timed_hold_until=until,
        underlying_settings=underlying_settings,
    )


def parse_gateway_lockouts(grid: object, events: Mapping[str, object], now: datetime) -> frozenset[Lockout] | None:
    """The outside powers at work; None where the gateway does not know about the grid. It never tells of grid services.

    grid: the library's word. events: those that Tesla schedules are Storm Watch's.
    """
    if not isinstance(grid, str):
        return None
    scheduled = events.get("backup_events")
    listed = [each for each in scheduled if isinstance(each, Mapping)] if isinstance(scheduled, list) else []
    is_storm_watch_active = any(
        _has_event_begun(each, now) and (end := _event_end(each)) is not None and now < end for each in listed
    )
    active = {Lockout.STORM_WATCH: is_storm_watch_active, Lockout.OFF_GRID: grid == GRID_ISLANDED}
    return frozenset(power for power, is_active in active.items() if is_active)


def parse_state_of_energy(status: object) -> tuple[float | None, float | None]:
    """The state of energy as the app shows it (0-100 %), and what the battery holds when full (kWh)."""
    pack = get_section(get_section(status, "control"), "systemStatus")
    full_wh, left_wh = pack.get("nominalFullPackEnergyWh"), pack.get("nominalEnergyRemainingWh")
    capacity_kwh = parse_capacity_kwh({"total_pack_energy": full_wh})
    if capacity_kwh is None or isinstance(left_wh, bool) or not isinstance(left_wh, int | float):
        return None, capacity_kwh
    return _to_app_pct(left_wh / capacity_kwh / 10), capacity_kwh


def get_section(holder: object, name: str) -> Mapping[str, object]:
    """A part of an answer; an empty one where it is missing or something else."""
    found = holder.get(name) if isinstance(holder, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _to_app_pct(raw_pct: object) -> float | None:
    """A figure of the gateway as the app shows it; what lies just outside of the scale lies at its end."""
    if (found := parse_pct(raw_pct)) is None:
        return None
    return min(max((found - GATEWAY_OFFSET_PCT) / GATEWAY_SCALE, 0.0), float(FULL_RESERVE_PCT))


def _has_event_begun(event: Mapping[str, object], now: datetime) -> bool:
    start_s = event.get("start_time")
    return isinstance(start_s, int) and start_s <= now.timestamp()


def _event_end(event: Mapping[str, object]) -> datetime | None:
    start_s, lasts_s = event.get("start_time"), event.get("duration_seconds")
    if not isinstance(start_s, int) or not isinstance(lasts_s, int):
        return None
    return datetime.fromtimestamp(start_s + lasts_s, UTC)


GATEWAY_MODES = (MODE_BACKUP, MODE_AUTONOMOUS, MODE_SELF_CONSUMPTION)
GATEWAY_TIMEOUT_SECONDS = 5
EVENTS_UNSUPPORTED_TEXT = "unexpected response payload"
"""What the library says where the gateway does not know of backup events."""


class GatewayBattery:
    """One gateway's battery; a context that holds one session, under the caller's lock.

    host: the gateway's address. key: the private key's file. now: the run's instant (UTC), by which a timed hold is
    measured. din: the gateway that has to answer there; None for any. timeout_seconds: for each step of a connection;
    only `deadline.time_limit` bounds the whole.
    """

    def __init__(
        self,
        *,
        host: str,
        password: str,
        key: Path,
        now: datetime,
        din: str | None = None,
        timeout_seconds: int = GATEWAY_TIMEOUT_SECONDS,
    ) -> None:
        self._expected_din = din
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
            session = open_gateway_session(self._host, self._password, self._key, self._timeout_seconds)
            self._powerwall = opened.enter_context(session)
            self._require_same_gateway()
            self._session = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up."""
        self._session.__exit__(kind, failure, trace)

    @property
    def site(self) -> str:
        """The gateway's DIN (its part and serial numbers), or its host where it does not say; empty until connected."""
        if self._powerwall is None:
            return ""
        return str(getattr(self._powerwall.client.tedapi, "din", None) or self._host)

    def _require_same_gateway(self) -> None:
        if self._expected_din and self.site != self._expected_din:
            raise ConfigurationError(
                f"is the gateway {self.site}, not the gateway {self._expected_din}",
                place=self._host,
                right="Give the address of the right gateway.",
            )

    def read(self) -> BatteryReading:
        """3 requests: the settings, the backup events, and the state of the battery and the grid.

        Raises `UnreachableError` or `SignInRefusedError` where the first two cannot be had. Without the third, powers,
        state of energy and capacity are None.
        """
        with self._asking() as captured:
            config, events = self._settings(captured), self._events(captured)
            client = self._powerwall.client
            status = client.tedapi.get_status(force=True)
            lockouts = parse_gateway_lockouts(client.extract_grid_status(status), events, self._now)
        soe_pct, capacity_kwh = parse_state_of_energy(status)
        reading = parse_gateway_reading(config, events, self._now)
        return replace(reading, soe_pct=soe_pct, capacity_kwh=capacity_kwh, lockouts=lockouts)

    def read_settings(self) -> BatteryReading:
        """2 requests: the settings and the backup events; raises as `read` does. What was not asked for is None."""
        with self._asking() as captured:
            return parse_gateway_reading(self._settings(captured), self._events(captured), self._now)

    def facts(self) -> BatteryFacts:
        """1 request: the settings; raises as `read` does. What a gateway does not tell is None."""
        with self._asking() as captured:
            site = get_section(self._settings(captured), "site_info")
        return parse_battery_facts({"site_name": site.get("site_name"), "components": site}, sites=1)

    def set_mode(self, mode: str) -> None:
        """2 requests; raises as `write` does."""
        self.write(BatteryCommand(mode=mode))

    def set_reserve_pct(self, reserve_pct: int) -> None:
        """2 requests; app scale, 0-100 %. Raises as `write` does."""
        self.write(BatteryCommand(reserve_pct=reserve_pct))

    def write(self, write: BatteryCommand) -> None:
        """2 requests for the settings, which are read and written as a whole; 2 for a timed hold, 1 for its end.

        Raises `TimedHoldUnsupportedError` where the gateway has no backup events, `NotConfirmedError` for an odd value.
        """
        with self._asking() as captured:
            if write.cancels_timed_hold:
                is_accepted = self._powerwall.cancel_max_backup()
            elif write.until:
                is_accepted = self._start_timed_hold(write.until, captured)
            else:
                result = self._powerwall.post("/api/operation", _operation_payload(write))
                is_accepted = isinstance(result, Mapping) and "error" not in result
            if not is_accepted:
                raise gateway_error(captured, self._key)

    def _start_timed_hold(self, until: datetime, captured: LogCapture) -> bool:
        is_accepted = self._powerwall.schedule_max_backup(round((until - self._now).total_seconds()))
        if not is_accepted and f"schedule_max_backup: {EVENTS_UNSUPPORTED_TEXT}" in captured.said:
            raise TimedHoldUnsupportedError("the gateway cannot hold by itself", service=TESLA_SERVICE)
        return bool(is_accepted)

    def _asking(self) -> AbstractContextManager[LogCapture]:
        return translate_gateway_errors(self._key)

    def _settings(self, captured: LogCapture) -> Mapping[str, object]:
        config = self._powerwall.client.tedapi.get_config(force=True)
        if not isinstance(config, Mapping):
            raise gateway_error(captured, self._key)
        return config

    def _events(self, captured: LogCapture) -> Mapping[str, object]:
        events = self._powerwall.get_backup_events()
        if events is None and EVENTS_UNSUPPORTED_TEXT not in captured.said:
            raise gateway_error(captured, self._key)
        return events if isinstance(events, Mapping) else {}


def _operation_payload(write: BatteryCommand) -> dict[str, object]:
    if write.mode is not None and write.mode not in GATEWAY_MODES:
        raise NotConfirmedError(
            "the Powerwall cannot be asked for an operation mode of that name", service=TESLA_SERVICE
        )
    if write.reserve_pct is not None and not 0 <= write.reserve_pct <= FULL_RESERVE_PCT:
        raise NotConfirmedError(
            f"the Powerwall cannot be asked for a reserve of {write.reserve_pct} %", service=TESLA_SERVICE
        )
    both = {"real_mode": write.mode, "backup_reserve_percent": write.reserve_pct}
    return {key: value for key, value in both.items() if value is not None}
