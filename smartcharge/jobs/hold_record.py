"""Keep the hold file in step with what the database knows of the Powerwall."""

import os
from datetime import datetime

from msgspec.structs import replace

from smartcharge.app import App, battery_address
from smartcharge.config.data_folder import remember_data_folder
from smartcharge.policy.battery import (
    FULL_RESERVE_PCT,
    MODE_BACKUP,
    MODE_SELF_CONSUMPTION,
    BatteryMemory,
    BatterySettings,
)
from smartcharge.store.hold_file import HoldFile, read_hold_file, remove_hold_file, write_hold_file


def record_hold(app: App, memory: BatteryMemory, restore: BatterySettings, until: datetime | None) -> None:
    """Write or remove the hold file, so that it says what the database says of the Powerwall.

    restore: what a release returns to. until: end of the hold; None where it stays what it is. Nothing is written
    where the file says all that already. Raises `StoreError` where it cannot be written.
    """
    folder = app.config.folder
    if not memory.owned:
        remove_hold_file(folder)
        return
    old = read_hold_file(folder)
    until = until or (old.until if old else None)
    tesla = app.config.tesla
    if until is None or tesla is None:
        return
    new = _describe_hold(app, memory, restore, until)
    if old is None or _essentials(old) != _essentials(new):
        remember_data_folder(app.config.path, folder, os.environ)
        write_hold_file(folder, new)


def _describe_hold(app: App, memory: BatteryMemory, restore: BatterySettings, until: datetime) -> HoldFile:
    config, tesla = app.config, app.config.tesla
    address = battery_address(config, tesla) if tesla else None
    if address is None:
        raise AssertionError("a Powerwall that is not configured is not held")
    site = memory.site
    fills = config.control.hold == "backup"
    return HoldFile(
        backend=site.backend if site else address.backend,
        site=site.site if site else address.site,
        auth_path=str(address.auth_folder.absolute()) if address.auth_folder else None,
        account_email=address.account_email,
        gateway_host=address.gateway_host,
        gateway_password=address.gateway_password,
        rsa_key_path=str(address.key_file.absolute()) if address.key_file else None,
        until=until,
        started_at=memory.owned_since,
        written_at=app.now,
        set_mode=MODE_BACKUP if fills else MODE_SELF_CONSUMPTION,
        set_reserve_pct=FULL_RESERVE_PCT if fills else None if memory.in_doubt_since else memory.confirmed_reserve_pct,
        restore_mode=restore.mode,
        restore_reserve_pct=restore.reserve_pct,
        owns_mode=memory.owns_mode,
        owns_reserve=memory.owns_reserve,
        memory=memory,
    )


def _essentials(file: HoldFile) -> HoldFile:
    """Give what a release needs, without what changes at every read-back: each writing costs two syncs."""
    memory = file.memory
    kept = BatteryMemory(
        settings_before=memory.settings_before,
        timed_hold_until=memory.timed_hold_until,
        site=memory.site,
        unconfirmed=memory.unconfirmed if memory.unconfirmed and memory.unconfirmed.releasing else None,
    ) if memory else None  # fmt: skip
    return replace(file, written_at=None, digest="", memory=kept)
