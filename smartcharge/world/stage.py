"""Sets the street's scene for a moment of a story."""

from datetime import datetime

from smartcharge.world.faults import Trouble
from smartcharge.world.kraken_account import Device, Dispatch, KrakenAccount
from smartcharge.world.myenergi import Myenergi
from smartcharge.world.story import Car, Story
from smartcharge.world.tesla import TeslaCloud
from smartcharge.world.zappi import Zappi


def furnish(story: Story, myenergi: Myenergi, tesla: TeslaCloud) -> None:
    """Put up what stands from the story's start: chargers, battery, further sites."""
    if story.cars:
        myenergi.zappis = [Zappi(serial) for serial in story.cars]
    start = story.powerwall
    battery = tesla.sites[0].powerwall
    battery.mode, battery.reserve_pct, battery.soe_pct = start.mode, start.reserve_pct, start.soe_pct
    battery.delay_s, battery.visible_after_reads = start.delay_s, start.visible_after_reads
    battery.has_rate_plan = start.has_rate_plan
    tesla.has_solar = start.solar
    if start.second_site:
        tesla.add_site()


def set_scene(story: Story, moment: datetime, account: KrakenAccount, myenergi: Myenergi, trouble: Trouble) -> None:
    """Let everything be as the story has it at a moment."""
    if (devices := story.devices.at(moment)) is not None:
        account.devices = devices
    account.plans = _plans(story, moment, account.devices)
    account.completed = list(story.completed.at(moment) or ())
    for zappi in myenergi.zappis:
        timeline = story.cars.get(zappi.serial)
        if timeline and (car := timeline.at(moment)):
            _drive(zappi, car, timeline.since(moment))
    trouble.follow(spell.fault for spell in story.spells if spell.starts_at <= moment < spell.ends_at)


def _plans(story: Story, moment: datetime, devices: tuple[Device, ...]) -> dict[str, list[Dispatch | None] | None]:
    plans: dict[str, list[Dispatch | None] | None] = {device.device_id: [] for device in devices}
    for planned in story.plan.at(moment) or ():
        listed = plans.setdefault(planned.device_id, [])
        if listed is not None:
            listed.append(planned.item)
    return plans


def _drive(zappi: Zappi, car: Car, since: datetime | None) -> None:
    zappi.silent_since = since if car.silent else None
    if not car.silent:
        zappi.watts, zappi.pst = car.watts, car.pst
        zappi.changes, zappi.without = dict(car.changes), car.without
