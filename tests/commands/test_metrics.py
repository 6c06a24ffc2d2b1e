"""`metrics`: what Prometheus's own parser makes of it, and the file that node_exporter collects."""

from collections.abc import Callable
from pathlib import Path
from stat import S_IMODE

import pytest
from prometheus_client.parser import text_string_to_metric_families
from stored_house import (
    MINUTE,
    NOW,
    StoredHouse,
    make_stored_house,
    record_refused_sign_in,
    store_journal_entry,
    store_open_hold,
)

from smartcharge import __version__
from smartcharge.commands.metrics import MetricFamily, render_prometheus_text
from smartcharge.store.schema import SCHEMA_VERSION
from smartcharge.store.services import count_alert_failure

IN_A_HOLD = {
    "smartcharge_database_readable": 1,
    "smartcharge_collected_timestamp_seconds": NOW.timestamp(),
    "smartcharge_plan_fresh": 1,
    "smartcharge_plan_answer_timestamp_seconds": (NOW - MINUTE).timestamp(),
    "smartcharge_windows": 1,
    "smartcharge_next_window_timestamp_seconds": NOW.replace(minute=0, second=0).timestamp(),
    "smartcharge_cheap_period": 0,
    "smartcharge_hold kind=window": 1,
    "smartcharge_hold kind=extension": 0,
    "smartcharge_hold_opened_timestamp_seconds": (NOW - MINUTE).timestamp(),
    "smartcharge_hold_until_timestamp_seconds": NOW.replace(minute=30, second=0).timestamp(),
    "smartcharge_next_release_timestamp_seconds": NOW.replace(minute=28, second=30).timestamp(),
    "smartcharge_paused": 0,
    "smartcharge_stood_down": 0,
    "smartcharge_battery_owned": 1,
    "smartcharge_battery_in_doubt": 0,
    "smartcharge_battery_mode mode=backup": 1,
    "smartcharge_battery_mode mode=autonomous": 0,
    "smartcharge_battery_reserve_ratio": 1,
    "smartcharge_battery_energy_ratio": 0.5,
    "smartcharge_battery_energy_timestamp_seconds": (NOW - MINUTE).timestamp(),
    "smartcharge_charger_state state=charging": 1,
    "smartcharge_charger_state state=unknown": 0,
    "smartcharge_charger_power_watts": 7200,
    "smartcharge_charger_timestamp_seconds": (NOW - MINUTE).timestamp(),
    "smartcharge_needs whose=owner": 0,
    "smartcharge_last_event_timestamp_seconds command=reconcile": (NOW - MINUTE).timestamp(),
    "smartcharge_last_sign_timestamp_seconds": (NOW - MINUTE).timestamp(),
    "smartcharge_requests_total service=kraken": 0,
    "smartcharge_service_failures service=tesla": 0,
    "smartcharge_service_refused service=mail": 0,
    "smartcharge_outbox_messages state=waiting": 0,
}


@pytest.fixture
def memory(tmp_path: Path) -> StoredHouse:
    return make_stored_house(tmp_path)


def parsed(text: str) -> dict[str, float]:
    """Every sample as the official parser reads it, named with its labels; it raises where it is at a loss."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    named = [" ".join([s.name, *(f"{key}={value}" for key, value in s.labels.items())]) for s in samples]
    assert len(set(named)) == len(named)
    return dict(zip(named, (sample.value for sample in samples), strict=True))


def test_a_hold_is_told_in_base_units(memory: StoredHouse) -> None:
    with memory.writing() as db:
        store_open_hold(db)

    outcome = memory.run("metrics")

    told = parsed(outcome.stdout)
    assert outcome.exit_code == 0
    assert {name: told.get(name) for name in IN_A_HOLD} == IN_A_HOLD
    assert told[f"smartcharge_info version={__version__} schema={SCHEMA_VERSION}"] == 1


def test_trouble_and_refusals_are_told_by_name(memory: StoredHouse) -> None:
    with memory.writing() as db:
        for _ in range(3):
            count_alert_failure(db, "reconcile", "zappi", NOW - 9 * MINUTE)
        record_refused_sign_in(db, "tesla", NOW - MINUTE)

    told = parsed(memory.run("metrics").stdout)

    assert told["smartcharge_episode_failures command=reconcile kind=zappi"] == 3
    assert (
        told["smartcharge_episode_since_timestamp_seconds command=reconcile kind=zappi"]
        == (NOW - 9 * MINUTE).timestamp()
    )
    assert told["smartcharge_service_refused service=tesla"] == 1
    assert (told["smartcharge_needs whose=owner"], told["smartcharge_needs whose=nobody"]) == (1, 1)


def test_what_is_not_known_has_no_sample(memory: StoredHouse) -> None:
    told = parsed(memory.run("metrics").stdout)

    assert told["smartcharge_charger_state state=unknown"] == 1
    silent = (
        "hold_until",
        "next_release",
        "battery_reserve",
        "battery_energy",
        "charger_power",
        "next_window",
        "episode",
    )
    assert [name for name in told if name.startswith(tuple(f"smartcharge_{each}" for each in silent))] == []


def test_every_metric_has_its_help_its_type_and_a_unit_that_prometheus_knows(memory: StoredHouse) -> None:
    with memory.writing() as db:
        store_open_hold(db)
        store_journal_entry(db, "reconcile", "changed")
    families = list(text_string_to_metric_families(memory.run("metrics").stdout))

    assert [
        f.name for f in families if not f.documentation.endswith(".") or not f.name.startswith("smartcharge_")
    ] == []
    assert [f.name for f in families if f.type == "counter"] == ["smartcharge_requests"]
    assert {f.type for f in families} == {"counter", "gauge"}
    assert not any(f.name.endswith(("_percent", "_pct", "_minutes", "_kwh", "_total")) for f in families)


def test_labels_and_help_are_escaped() -> None:
    odd = 'a "b"\\c\nd'
    text = render_prometheus_text([MetricFamily("odd", "gauge", "back\\slash\nand line", (({"label": odd}, 0.1),))])

    (family,) = text_string_to_metric_families(text)
    assert family.documentation == "back\\slash\nand line"
    assert (family.samples[0].labels, family.samples[0].value) == ({"label": odd}, 0.1)
    assert len(text.splitlines()) == 3


def test_the_file_is_replaced_as_a_whole_and_others_may_read_it(memory: StoredHouse) -> None:
    file = memory.folder / "smartcharge.prom"
    outcome = memory.run("metrics", "--output", str(file))
    first = file.stat().st_ino
    memory.run("metrics", "--output", str(file), at=NOW + MINUTE)

    assert (outcome.exit_code, outcome.stdout) == (0, "")
    assert S_IMODE(file.stat().st_mode) == 0o644
    assert file.stat().st_ino != first
    assert parsed(file.read_text())["smartcharge_collected_timestamp_seconds"] == (NOW + MINUTE).timestamp()
    assert sorted(path.name for path in memory.folder.iterdir() if "prom" in path.name) == ["smartcharge.prom"]


def in_no_folder(memory: StoredHouse) -> Path:
    return memory.folder / "nowhere" / "smartcharge.prom"


def in_place_of_the_configuration(memory: StoredHouse) -> Path:
    return memory.config


def in_place_of_a_folder(memory: StoredHouse) -> Path:
    return memory.folder


UNWRITABLE: dict[str, tuple[Callable[[StoredHouse], Path], str]] = {
    "a folder that is not there": (in_no_folder, "cannot be written: No such file or directory"),
    "the configuration": (in_place_of_the_configuration, "has other content and was not changed"),
    "a folder": (in_place_of_a_folder, "cannot be written: it is not a regular file"),
}


@pytest.mark.parametrize(("place", "words"), UNWRITABLE.values(), ids=UNWRITABLE)
def test_a_file_that_cannot_be_written_is_told_with_exit_4(
    memory: StoredHouse, place: Callable[[StoredHouse], Path], words: str
) -> None:
    before = memory.config.read_bytes()

    outcome = memory.run("metrics", "--output", str(place(memory)))

    assert outcome.exit_code == 4
    assert words in outcome.stderr
    assert memory.config.read_bytes() == before


def spoil(memory: StoredHouse) -> None:
    memory.database.write_text("a shopping list\n" * 100)


@pytest.mark.parametrize("lose", [spoil, lambda memory: memory.database.unlink()], ids=["spoilt", "missing"])
def test_without_a_database_only_that_is_told_with_exit_4(
    memory: StoredHouse, lose: Callable[[StoredHouse], None]
) -> None:
    lose(memory)
    file = memory.folder / "smartcharge.prom"

    outcome = memory.run("metrics", "--output", str(file))

    assert outcome.exit_code == 4
    assert parsed(file.read_text()) == {
        f"smartcharge_info version={__version__} schema=": 1,
        "smartcharge_database_readable": 0,
    }


def test_a_damaged_configuration_tells_nothing(memory: StoredHouse) -> None:
    memory.configure("eon_next: {import_acount: A-12345678}\n")

    outcome = memory.run("metrics")

    assert (outcome.exit_code, outcome.stdout) == (4, "")


def test_collecting_leaves_the_house_as_it_was(memory: StoredHouse) -> None:
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in memory.folder.iterdir()}
    memory.run("metrics")

    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in memory.folder.iterdir()} == before
