"""The Powerwall, over Tesla's cloud, the Fleet API or its own gateway."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TypeVar

from smartcharge.errors import ConfigurationError
from smartcharge.providers.protocols import Battery

Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True)
class BatteryAddress:
    """What it takes to reach one battery, as plain values.

    backend: "cloud", "fleetapi" or "v1r" (the gateway). site: Tesla's number of the energy site, or the gateway's DIN;
    None where any battery that is found there will do. auth_folder: where the library keeps the tokens (cloud and
    fleetapi). account_email: the address of the Tesla account (cloud). gateway_host, gateway_password, key_file: the
    gateway's address, its password and the file of the registered private key (v1r).
    """

    backend: str
    site: str | None = None
    auth_folder: Path | None = None
    account_email: str | None = None
    gateway_host: str | None = None
    gateway_password: str | None = field(default=None, repr=False)
    key_file: Path | None = None


def connect_battery(address: BatteryAddress, now: datetime, *, place: str = "configuration") -> Battery:
    """Choose the provider; nothing is asked before the battery is entered.

    now (UTC): the run's instant. place: the file that the address comes from, for messages. Raises
    `ConfigurationError` where a value that the backend needs is missing or is not of its kind.
    """
    if address.backend == "v1r":
        from smartcharge.providers.tesla.gateway import GatewayBattery

        return GatewayBattery(
            host=_required(address.gateway_host, "tesla.gateway_host", place),
            password=address.gateway_password or "",
            key=_required(address.key_file, "tesla.rsa_key_path", place),
            now=now,
            din=address.site,
        )
    if address.site is not None and not (address.site.isascii() and address.site.isdecimal()):
        raise ConfigurationError("is not a number", place=place, key="tesla.energy_site_id", right="Use digits only.")
    folder = _required(address.auth_folder, "tesla.auth_path", place)
    if address.backend == "fleetapi":
        from smartcharge.providers.tesla.fleet import FleetBattery

        return FleetBattery(site_id=address.site, folder=folder, now=now, place=place)
    if address.backend != "cloud":
        raise ConfigurationError(
            "names no way to the Powerwall", place=place, key="tesla.backend", right="Use cloud, fleetapi or v1r."
        )
    from smartcharge.providers.tesla.cloud import CloudBattery

    email = _required(address.account_email, "tesla.account_email", place)
    return CloudBattery(email=email, site_id=address.site, auth_folder=folder, now=now, place=place)


def complete_address(
    address: BatteryAddress, configured: BatteryAddress | None, folders: Iterable[Path]
) -> BatteryAddress:
    """Fill in what a damaged record of an address does not say.

    configured: used where it is about the same backend. folders: where token files may lie; used where nothing is
    configured, for the sign-in that is there.
    """
    candidates = chain([configured] if configured else [], _stored_sign_ins(folders))
    known = next((each for each in candidates if address.backend in {"", each.backend}), None)
    if known is None:
        return address
    names = (each.name for each in fields(BatteryAddress))
    values = {name: getattr(address, name) or getattr(known, name) for name in names}
    return BatteryAddress(**values)


def find_sign_in(backend: str | None, told: Path, folders: Iterable[Path]) -> Path:
    """Give the folder of the token files: the one told, or another one where they are not there any more."""
    from smartcharge.providers.tesla.tokens import CLOUD_AUTH_FILE, FLEET_AUTH_FILE

    told = told.parent if told.is_file() else told
    name = FLEET_AUTH_FILE if backend == "fleetapi" else CLOUD_AUTH_FILE
    return next((folder for folder in (told, *folders) if (folder / name).exists()), told)


def _stored_sign_ins(folders: Iterable[Path]) -> Iterator[BatteryAddress]:
    from smartcharge.providers.tesla.tokens import CLOUD_AUTH_FILE, FLEET_AUTH_FILE, read_token_file

    for folder in folders:
        accounts: dict[str, object] = {}
        application: dict[str, object] = {}
        with suppress(OSError):
            accounts = read_token_file(folder / CLOUD_AUTH_FILE) or {}
        with suppress(OSError):
            application = read_token_file(folder / FLEET_AUTH_FILE) or {}
        for email in accounts:
            yield BatteryAddress(backend="cloud", auth_folder=folder, account_email=email)
        if application:
            yield BatteryAddress(backend="fleetapi", auth_folder=folder)


def _required(value: Value | None, key: str, place: str) -> Value:
    if value is None:
        raise ConfigurationError("is missing", place=place, key=key, right=f"Give {key}.")
    return value
