"""The pretend gateway, as the unmodified pypowerwall meets it, and what it refuses that the library never sends."""

from datetime import timedelta
from pathlib import Path

import pytest
from pypowerwall import Powerwall

from smartcharge.simulator.powerwall import SimulatedPowerwall
from smartcharge.simulator.scenario_file import parse_scenario
from smartcharge.simulator.scenario_yaml import ScenarioError
from smartcharge.simulator.simulator import Simulator
from smartcharge.simulator.tesla_gateway import (
    ProtobufDecodeError,
    bytes_field,
    changed_settings,
    create_owner_key,
    decode_message,
    encode_gateway_config,
    encode_message,
    int_field,
    nested_message,
)


def connect(simulator: Simulator, key: Path, password: str | None = None) -> Powerwall:
    return Powerwall(
        simulator.house.gateway_host,
        gw_pwd=password or simulator.house.gateway_password,
        rsa_key_path=str(key),
        cachefile=str(key.parent / ".powerwall"),
        failover=False,
        timeout=30,
    )


def test_settings_are_read_and_written_and_holds_end_by_themselves(simulator: Simulator, tmp_path: Path) -> None:
    powerwall = connect(simulator, simulator.write_gateway_key(tmp_path))
    powerwall.post("/api/operation", {"backup_reserve_percent": 55, "real_mode": "self_consumption"})
    reserve = powerwall.get_reserve(force=True)
    powerwall.schedule_max_backup(600)
    held = simulator.powerwall.settings
    simulator.set_time(simulator.now + timedelta(seconds=600))
    powerwall.client.close_session()

    assert reserve == pytest.approx(55)
    assert (held, simulator.powerwall.settings) == (("backup", 100), ("self_consumption", 55))
    assert [(each.kind, each.value) for each in simulator.powerwall.writes] == [
        ("mode", "self_consumption"),
        ("reserve", 55),
    ]


def test_what_is_not_signed_by_the_registered_key_is_refused(simulator: Simulator, tmp_path: Path) -> None:
    key = simulator.write_gateway_key(tmp_path)
    create_owner_key(key)
    with pytest.warns(UserWarning):  # noqa: PT030  # in words of the library's
        powerwall = connect(simulator, key)

    assert powerwall.post("/api/operation", {"real_mode": "backup"}) == {"error": "Failed to write config"}
    powerwall.client.close_session()
    assert simulator.powerwall.writes == []


def test_a_signature_of_something_else_is_refused(simulator: Simulator, tmp_path: Path) -> None:
    powerwall = connect(simulator, simulator.write_gateway_key(tmp_path))
    transport = powerwall.client.tedapi.v1r_transport
    signed = transport._sign  # noqa: SLF001 - the library's own, to be tampered with
    transport._sign = lambda content: signed(content + b"!")  # noqa: SLF001

    assert powerwall.poll("/api/operation", force=True) is None
    powerwall.client.close_session()


def test_a_wrong_password_opens_nothing(simulator: Simulator, tmp_path: Path) -> None:
    powerwall = connect(simulator, simulator.write_gateway_key(tmp_path), password="WRONG")

    assert powerwall.client is None
    assert {request.operation for request in simulator.requests} == {"login"}


BLOB = encode_gateway_config(SimulatedPowerwall(), "DIN", 0.0, ())
NONSENSE = {
    "a mode of another name": (b'"autonomous"', b'"TIME_BASED_CONTROL"'),
    "a reserve below the bottom": (b"24.0", b"4.0"),
    "a reserve above the top": (b"24.0", b"101"),
    "a reserve as text": (b"24.0", b'"24"'),
    "something that is none of a client's business": (b'"DIN"', b'"NID"'),
}


@pytest.mark.parametrize(("old", "new"), NONSENSE.values(), ids=NONSENSE)
def test_the_file_takes_no_nonsense(old: bytes, new: bytes) -> None:
    assert changed_settings(BLOB, BLOB) == []
    assert changed_settings(BLOB, BLOB.replace(old, new)) is None


# -- messages -----------------------------------------------------------------------------------------


def test_a_message_comes_back_as_it_was_written() -> None:
    inner = encode_message((1, 300), (2, "Storm Watch"), (100, b"\x00\xff"))
    message = decode_message(encode_message((3, (1 << 64) - 1), (15, inner)))

    assert int_field(message, 3) == (1 << 64) - 1
    assert nested_message(message, 15) == {1: [300], 2: [b"Storm Watch"], 100: [b"\x00\xff"]}
    assert (int_field(message, 9), bytes_field(message, 9)) == (0, b"")


BROKEN = {
    "cut off in a text": encode_message((1, "abc"))[:-1],
    "cut off in a number": b"\x08\xff",
    "a number without an end": b"\x08" + b"\xff" * 11,
    "a field without a number": b"\x00\x01",
    "a group": b"\x0b\x0c",
    "a page of text": b"<!DOCTYPE html>",
}


@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN)
def test_what_is_no_message_is_not_read(raw: bytes) -> None:
    with pytest.raises(ProtobufDecodeError):
        decode_message(raw)


def test_a_field_of_another_kind_is_not_read() -> None:
    message = decode_message(encode_message((1, 7), (2, "text")))

    with pytest.raises(ProtobufDecodeError):
        bytes_field(message, 1)
    with pytest.raises(ProtobufDecodeError):
        int_field(message, 2)


# -- scenarios ------------------------------------------------------------------------------------------


def test_a_scenario_names_its_way_to_the_battery() -> None:
    head = "name: short\nabout: A short one.\nday: 2026-07-08\nminutes: 60\n"

    assert parse_scenario(head).backend == "cloud"
    assert parse_scenario(f"{head}backend: v1r\n").backend == "v1r"
    with pytest.raises(ScenarioError, match="none of cloud, fleetapi, v1r"):
        parse_scenario(f"{head}backend: tedapi\n")
