"""Story files: YAML in, a `Story` out, or one sentence about what is wrong and where.

Times are London wall clock of `day` (13:30), of a later day (+1 00:30), or ISO 8601 with an offset.
Whatever is listed by time holds from its time on.

    name, about, source     what the story is called, shows, and is taken from
    day, start, minutes     2026-12-09, 06:00 (00:00 if left out), 1440
    run                     command lines of every minute; `tick` if left out
    plan                    by time: windows [13:00-14:30], or a Kraken fault; a window may also be a mapping with
                            window, type, energy, device, or raw (the item as the API is to return it)
    devices                 a list, or lists by time: id, name, type, provider, current, suspended, state, kind
    completed               by time: spans, oldest first
    car                     by time: watts, a pilot state (A, B2, ...), silent, or {watts, pst, changes, without}
    zappis                  instead of car: the same by serial
    backend                 the way to the battery that is configured: cloud (if left out), fleetapi, v1r
    powerwall               mode, reserve_pct, soe_pct, delay_s, visible_after_reads, has_rate_plan, second_site, solar
    faults                  14:10-14:16 kraken http-503, or {span, service, fault, only, device, times, after, amount}
    owner                   by time: {mode, reserve, run}
    missed                  minutes and spans in which cron is asleep
    config                  laid over the street's configuration
    expect                  battery {13:05: backup/100}, hold {13:05: 13:30, 15:40: none}, at_most and exactly
                            {kraken, zappi, tesla, sign_ins, writes, mails}, writes [13:04 mode backup],
                            exit_codes, says, never_says
"""

from datetime import date, datetime, timedelta
from importlib.resources import files
from pathlib import Path

from smartcharge.world.faults import UnknownFaultError
from smartcharge.world.house import HOUSE
from smartcharge.world.story import Car, Story, Timeline
from smartcharge.world.story_expected import read_expected
from smartcharge.world.story_house import read_car, read_faults, read_missed, read_owner, read_powerwall
from smartcharge.world.story_plan import read_completed, read_devices, read_plan
from smartcharge.world.story_times import Calendar, StoryError
from smartcharge.world.story_yaml import mapping, read_yaml, whole, words

KEYS = (
    *("name", "about", "source", "day", "start", "minutes", "run"),
    *("plan", "devices", "completed", "car", "zappis", "backend", "powerwall", "faults", "owner", "missed"),
    *("config", "expect"),
)
BACKENDS = ("cloud", "fleetapi", "v1r")
NEEDED = ("name", "about", "day", "minutes")


def stories() -> dict[str, Path]:
    """The stories that come with the program, by name."""
    folder = Path(str(files("smartcharge.world") / "stories"))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_story(path: Path) -> Story:
    """Read a story; StoryError, beginning with the file's name, where it cannot be played."""
    return story_from(path.read_text("utf-8"), path.name)


def story_from(text: str, name: str = "story") -> Story:
    """Read a story from text; `name` stands for the file in complaints."""
    try:
        return _story(text, name)
    except (StoryError, UnknownFaultError) as error:
        told = str(error)
        raise StoryError(told if told.startswith(name) else f"{name}: {told}") from error


def _story(text: str, name: str) -> Story:
    given = mapping(read_yaml(text, name), name, KEYS)
    if missing := [key for key in NEEDED if key not in given]:
        raise StoryError(f"{name}: {', '.join(missing)} missing")
    calendar = Calendar(_day(given["day"]))
    starts_at = calendar.moment(given.get("start", "00:00"))
    minutes = whole(given["minutes"], "minutes")
    answers = read_plan(given.get("plan", {}), calendar, starts_at + timedelta(minutes=minutes))
    return Story(
        name=str(given["name"]),
        about=str(given["about"]).strip(),
        source=str(given.get("source", "")),
        day=calendar.day,
        starts_at=starts_at,
        minutes=minutes,
        plan=answers.plan,
        devices=read_devices(given.get("devices", {}), calendar, starts_at),
        completed=read_completed(given.get("completed", {}), calendar),
        cars=_cars(given, calendar),
        spells=(*answers.spells, *read_faults(given.get("faults"), calendar)),
        owner=read_owner(given.get("owner", {}), calendar),
        missed=read_missed(given.get("missed"), calendar),
        run=tuple(tuple(line.split()) for line in words(given.get("run", "tick"))),
        backend=_backend(given.get("backend", BACKENDS[0])),
        config=mapping(given.get("config", {}), "config"),
        powerwall=read_powerwall(given.get("powerwall", {})),
        expected=read_expected(given.get("expect", {}), calendar),
    )


def _day(value: object) -> date:
    try:
        return datetime.fromisoformat(str(value)).date()
    except ValueError:
        raise StoryError(f"day: {value!r} is not like 2026-12-09") from None


def _backend(value: object) -> str:
    if value not in BACKENDS:
        raise StoryError(f"backend: {value!r} is none of {', '.join(BACKENDS)}")
    return str(value)


def _cars(given: dict[str, object], calendar: Calendar) -> dict[int, Timeline[Car]]:
    if "car" in given:
        return {HOUSE.zappi_serial: read_car(given["car"], calendar, "car")}
    zappis = mapping(given.get("zappis", {}), "zappis")
    if odd := [serial for serial in zappis if not serial.isdigit()]:
        raise StoryError(f"zappis: {odd[0]!r} is no serial number")
    return {int(serial): read_car(each, calendar, f"zappi {serial}") for serial, each in zappis.items()}
