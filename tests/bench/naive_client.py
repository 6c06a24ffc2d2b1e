"""What an ordinary script would do every minute: sign in, ask everybody everything, and set the battery.

It remembers nothing and treats no error: where somebody does not answer, it ends, and cron tries again in a minute.
"""

import asyncio
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pypowerwall
from pymyenergi.client import MyenergiClient
from pymyenergi.connection import Connection

from smartcharge.providers.kraken import KrakenTariff
from smartcharge.providers.kraken.account import KrakenAccount
from smartcharge.simulator.house import SimulatedHouse

BACKUP_SETTINGS, NORMAL_SETTINGS = ("backup", 100), ("autonomous", 20)


def run_naive_minute(house: SimulatedHouse, tokens: Path, now: datetime) -> None:
    """One run. tokens: the folder with the sign-in that pypowerwall needs."""
    is_cheap = is_in_window(house, now)
    is_charging = asyncio.run(is_car_charging(house))
    mode, reserve_pct = BACKUP_SETTINGS if is_cheap and is_charging else NORMAL_SETTINGS
    library: Any = pypowerwall  # not typed
    powerwall = library.Powerwall(email=house.tesla_email, siteid=house.site_id, authpath=str(tokens), cloudmode=True)
    if powerwall.get_mode() != mode:
        powerwall.set_mode(mode)
        powerwall.set_reserve(reserve_pct)


def is_in_window(house: SimulatedHouse, now: datetime) -> bool:
    """Sign in to Kraken, list the devices, and ask for their plans."""
    with tempfile.TemporaryDirectory() as empty:
        account = KrakenAccount(
            supplier="eon-next",
            number=house.account_number,
            token_file=Path(empty) / "token",
            email=house.kraken_email,
            password=house.kraken_password,
        )
        planned = KrakenTariff(account).plan([], now).planned
    return any(window.starts_at <= now < window.ends_at for windows in planned.values() for window in windows or ())


async def is_car_charging(house: SimulatedHouse) -> bool:
    """Find the hub's server and list its devices."""
    async with httpx.AsyncClient() as web:
        connection = Connection(house.hub_serial, house.hub_key, asyncClient=web)
        hub: Any = MyenergiClient(connection)  # not typed
        zappis = await hub.get_devices("zappi")
    return any(zappi.plug_status == "Charging" for zappi in zappis)
