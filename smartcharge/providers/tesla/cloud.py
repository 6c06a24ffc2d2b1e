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

from smartcharge.errors import ConfigurationError, NotConfirmedError, RatePlanMissingError
from smartcharge.policy.battery import (
    FULL_RESERVE_PCT,
    MODE_AUTONOMOUS,
    MODE_BACKUP,
    MODE_SELF_CONSUMPTION,
    BatteryFacts,
    BatteryReading,
)
from smartcharge.providers.tesla.parse import parse_battery_facts, parse_battery_reading, unwrap_response
from smartcharge.providers.tesla.pypowerwall import (
    NO_SITE_TEXT,
    WRONG_SITE_TEXT,
    LogCapture,
    get_connected_site,
    list_battery_sites,
    open_cloud_session,
    translate_library_errors,
)
from smartcharge.providers.tesla.tokens import CLOUD_SITE_FILE, TESLA_SERVICE
from smartcharge.regular_file import read_regular_file

CLOUD_MODES = (MODE_BACKUP, MODE_AUTONOMOUS, MODE_SELF_CONSUMPTION)
HTTP_GONE = 410
CLOUD_TIMEOUT_SECONDS = 5


class CloudBattery:
    """One site's battery; a context that holds one session, under the caller's lock.

    site_id: Tesla's number of the energy site; None where the library's own site file, or there being only
    one, decides. auth_folder: where the library keeps its files. timeout_seconds: for each step of a
    connection; only `deadline.time_limit` bounds the whole. place: the file that the site was configured in.
    now (UTC): an access token that lasts beyond it is used even on a full disk; None: a full disk refuses.
    """

    def __init__(
        self,
        *,
        email: str,
        site_id: str | None,
        auth_folder: Path,
        timeout_seconds: int = CLOUD_TIMEOUT_SECONDS,
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
        self._gateway: object = None
        self._site_file_content: bytes | None = None

    def __enter__(self) -> Self:
        """Connect: 2 requests, or 3 where no site is named anywhere."""
        self._site_file_content = _read_site_file(self._folder / CLOUD_SITE_FILE)
        with ExitStack() as opened:
            session = open_cloud_session(self._email, self._site_id, self._folder, self._timeout_seconds, self._now)
            self._powerwall, captured = opened.enter_context(session)
            with translate_library_errors():
                self._require_battery(captured)
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
        site = get_connected_site(self._powerwall) if self._powerwall is not None else None
        return str(site["energy_site_id"]) if site and "energy_site_id" in site else ""

    def read(self) -> BatteryReading:
        """2 requests: the settings, and the live state with the outside powers.

        Raises `UnreachableError`, `ThrottledError` or `SignInRefusedError` where the settings cannot be read. Without
        the live state, powers, state of energy and capacity are None.
        """
        with translate_library_errors(is_signed_in=True) as captured:
            site = self._settings(captured)
            live = unwrap_response(self._powerwall.client.get_site_power(force=True))
            self._require_same_site()
        return parse_battery_reading(site, live)

    def read_settings(self) -> BatteryReading:
        """1 request: the settings alone; raises as `read` does. What was not asked for is None."""
        with translate_library_errors(is_signed_in=True) as captured:
            return parse_battery_reading(self._settings(captured), None)

    def facts(self) -> BatteryFacts:
        """2 requests: the settings, and the account's sites; raises as `read` does."""
        with translate_library_errors(is_signed_in=True) as captured:
            return parse_battery_facts(self._settings(captured), sites=len(list_battery_sites(self._powerwall)))

    def set_mode(self, mode: str) -> None:
        """2 requests. Raises `RatePlanMissingError` for HTTP 410, `NotConfirmedError` for any mode but the three."""
        if mode not in CLOUD_MODES:
            raise NotConfirmedError(
                "the Powerwall cannot be asked for an operation mode of that name", service=TESLA_SERVICE
            )
        self._command(lambda powerwall: powerwall.set_mode(mode), needs_rate_plan=mode == MODE_AUTONOMOUS)

    def set_reserve_pct(self, reserve_pct: int) -> None:
        """2 requests; app scale, 0-100 %, of which Tesla takes 0-80 and 100."""
        if not 0 <= reserve_pct <= FULL_RESERVE_PCT:
            raise NotConfirmedError(
                f"the Powerwall cannot be asked for a reserve of {reserve_pct} %", service=TESLA_SERVICE
            )
        self._command(lambda powerwall: powerwall.set_reserve(reserve_pct))

    def _settings(self, captured: LogCapture) -> Mapping[str, object]:
        site = unwrap_response(self._powerwall.client.get_site_config(force=True))
        self._require_same_site()
        if site is None:
            raise captured.error()
        return site

    def _command(self, command: Callable[[Any], object], *, needs_rate_plan: bool = False) -> None:
        with translate_library_errors(is_signed_in=True) as captured:
            # Without the gateway's number the library would write to the first battery of the account.
            if not self._powerwall.din() and self._gateway:
                self._powerwall.din = lambda: self._gateway  # the account's list has told it
            if not self._powerwall.din():
                raise captured.error(otherwise="Tesla does not say which gateway this is, so nothing was written")
            self._require_same_site()
            result = command(self._powerwall)
            if "BatteryNotFound" in str(result):
                raise self._misfit("has no battery with this gateway")
            _require_accepted(result, captured, needs_rate_plan=needs_rate_plan)

    def _require_battery(self, captured: LogCapture) -> None:
        site = get_connected_site(self._powerwall)
        if site is None and NO_SITE_TEXT in captured.said:
            raise self._misfit("has no energy site")
        if site is None and WRONG_SITE_TEXT in captured.said:
            raise self._misfit("has no site of this number")
        if site is None:
            raise captured.error()
        if site.get("resource_type") != "battery":
            raise self._misfit("has no Powerwall at this site")
        is_named = self._site_id is not None or (self._folder / CLOUD_SITE_FILE).exists()
        if not is_named and len(list_battery_sites(self._powerwall)) > 1:
            raise self._misfit("has more than one site")
        self._gateway = site.get("gateway_id")

    def _require_same_site(self) -> None:
        """Refuse another house's site than the one connected to, and undo that the library wrote it down for good.

        Where a site's address answers 404, the library goes over to its successor, which is right where it has the
        same gateway, and else to the one other site of the account.
        """
        site = get_connected_site(self._powerwall)
        if site is None or site.get("gateway_id") == self._gateway:
            return
        file = self._folder / CLOUD_SITE_FILE
        if self._site_file_content is None:
            file.unlink(missing_ok=True)
        else:
            file.write_bytes(self._site_file_content)
        raise self._misfit("no longer shows the site that it had a moment ago")

    def _misfit(self, problem: str) -> ConfigurationError:
        """Tell the owner which sites there are; 1 request."""
        known = ", ".join(f"{number} ({name})" for number, name in list_battery_sites(self._powerwall))
        right = f"Use one of {known}." if known else "Sign in with the account that owns the Powerwall."
        file = self._folder / CLOUD_SITE_FILE
        if self._site_id is None and file.exists():
            return ConfigurationError(
                f"the Tesla account {problem}", place=str(file), right=f"Delete the file. {right}"
            )
        told = f"does not name one Powerwall: the Tesla account {problem}"
        key = "tesla.energy_site_id" if known else "tesla.account_email"
        return ConfigurationError(told, place=self._place, key=key, right=right)


def _read_site_file(file: Path) -> bytes | None:
    """The file in which the library keeps the number of the site; None where there is none.

    Raises `ConfigurationError` for anything else than a number in a regular file: the library would wait for a pipe,
    and take whatever else it finds for "no site is named".
    """
    try:
        content = read_regular_file(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _site_file_error(file, f"cannot be read: {error.strerror or type(error).__name__}") from error
    if not content.strip().isdigit():
        raise _site_file_error(file, "does not hold the number of an energy site")
    return content


def _site_file_error(file: Path, problem: str) -> ConfigurationError:
    return ConfigurationError(problem, place=str(file), right="Delete it, or set tesla.energy_site_id.")


def list_cloud_sites(
    *, email: str, auth_folder: Path, timeout_seconds: int = CLOUD_TIMEOUT_SECONDS
) -> tuple[tuple[int, str], ...]:
    """The sites with a Powerwall that this sign-in may see, number and name; 3 requests. Raises as entering does."""
    with open_cloud_session(email, None, auth_folder, timeout_seconds) as (powerwall, captured):
        if (
            get_connected_site(powerwall) is None
            and NO_SITE_TEXT not in captured.said
            and WRONG_SITE_TEXT not in captured.said
        ):
            raise captured.error()
        with translate_library_errors():
            return list_battery_sites(powerwall)


def _require_accepted(result: object, captured: LogCapture, *, needs_rate_plan: bool) -> None:
    """Raise unless the library's answer is free of errors, which is the most that it can prove."""
    if isinstance(result, Mapping) and "error" not in result:
        return
    told = f"HTTP {result['error']}" if isinstance(result, Mapping) else ""
    if needs_rate_plan and captured.status(told) == HTTP_GONE:
        raise RatePlanMissingError(
            "Tesla refuses time-based control: the Tesla app holds no rate plan", service=TESLA_SERVICE
        )
    raise captured.error(told, otherwise="Tesla did not take the command")
