"""The pretend gateway, as the unmodified pypowerwall meets it, and what it refuses that the library never sends."""

from datetime import timedelta
from pathlib import Path

import pytest
from pypowerwall import Powerwall

from smartcharge.world.gateway_file import config_blob, taken
from smartcharge.world.powerwall import Powerwall as Battery
from smartcharge.world.protobuf import NotProtobufError, decoded, encoded, text, whole, within
from smartcharge.world.signatures import make_key
from smartcharge.world.story_file import story_from
from smartcharge.world.story_times import StoryError
from smartcharge.world.street import Street


def connect(street: Street, key: Path, password: str | None = None) -> Powerwall:
    return Powerwall(
        street.house.gateway_host,
        gw_pwd=password or street.house.gateway_password,
        rsa_key_path=str(key),
        cachefile=str(key.parent / ".powerwall"),
        failover=False,
        timeout=30,
    )


def test_settings_are_read_and_written_and_holds_end_by_themselves(street: Street, tmp_path: Path) -> None:
    powerwall = connect(street, street.write_gateway_key(tmp_path))
    powerwall.post("/api/operation", {"backup_reserve_percent": 55, "real_mode": "self_consumption"})
    reserve = powerwall.get_reserve(force=True)
    powerwall.schedule_max_backup(600)
    held = street.powerwall.stance
    street.set_time(street.now + timedelta(seconds=600))
    powerwall.client.close_session()

    assert reserve == pytest.approx(55)
    assert (held, street.powerwall.stance) == (("backup", 100), ("self_consumption", 55))
    assert [(each.kind, each.value) for each in street.powerwall.writes] == [
        ("mode", "self_consumption"),
        ("reserve", 55),
    ]


def test_what_is_not_signed_by_the_registered_key_is_refused(street: Street, tmp_path: Path) -> None:
    key = street.write_gateway_key(tmp_path)
    make_key(key)
    with pytest.warns(UserWarning):  # noqa: PT030  # in words of the library's
        powerwall = connect(street, key)

    assert powerwall.post("/api/operation", {"real_mode": "backup"}) == {"error": "Failed to write config"}
    powerwall.client.close_session()
    assert street.powerwall.writes == []


def test_a_signature_of_something_else_is_refused(street: Street, tmp_path: Path) -> None:
    powerwall = connect(street, street.write_gateway_key(tmp_path))
    transport = powerwall.client.tedapi.v1r_transport
    signed = transport._sign  # noqa: SLF001 - the library's own, to be tampered with
    transport._sign = lambda content: signed(content + b"!")  # noqa: SLF001

    assert powerwall.poll("/api/operation", force=True) is None
    powerwall.client.close_session()


def test_a_wrong_password_opens_nothing(street: Street, tmp_path: Path) -> None:
    powerwall = connect(street, street.write_gateway_key(tmp_path), password="WRONG")

    assert powerwall.client is None
    assert {request.operation for request in street.requests} == {"login"}


BLOB = config_blob(Battery(), "DIN", 0.0, ())
NONSENSE = {
    "a mode of another name": (b'"autonomous"', b'"TIME_BASED_CONTROL"'),
    "a reserve below the bottom": (b"24.0", b"4.0"),
    "a reserve above the top": (b"24.0", b"101"),
    "a reserve as text": (b"24.0", b'"24"'),
    "something that is none of a client's business": (b'"DIN"', b'"NID"'),
}


@pytest.mark.parametrize(("old", "new"), NONSENSE.values(), ids=NONSENSE)
def test_the_file_takes_no_nonsense(old: bytes, new: bytes) -> None:
    assert taken(BLOB, BLOB) == []
    assert taken(BLOB, BLOB.replace(old, new)) is None


# -- messages -----------------------------------------------------------------------------------------


def test_a_message_comes_back_as_it_was_written() -> None:
    inner = encoded((1, 300), (2, "Storm Watch"), (100, b"\x00\xff"))
    message = decoded(encoded((3, (1 << 64) - 1), (15, inner)))

    assert whole(message, 3) == (1 << 64) - 1
    assert within(message, 15) == {1: [300], 2: [b"Storm Watch"], 100: [b"\x00\xff"]}
    assert (whole(message, 9), text(message, 9)) == (0, b"")


BROKEN = {
    "cut off in a text": encoded((1, "abc"))[:-1],
    "cut off in a number": b"\x08\xff",
    "a number without an end": b"\x08" + b"\xff" * 11,
    "a field without a number": b"\x00\x01",
    "a group": b"\x0b\x0c",
    "a page of text": b"<!DOCTYPE html>",
}


@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN)
def test_what_is_no_message_is_not_read(raw: bytes) -> None:
    with pytest.raises(NotProtobufError):
        decoded(raw)


def test_a_field_of_another_kind_is_not_read() -> None:
    message = decoded(encoded((1, 7), (2, "text")))

    with pytest.raises(NotProtobufError):
        text(message, 1)
    with pytest.raises(NotProtobufError):
        whole(message, 2)


# -- stories ------------------------------------------------------------------------------------------


def test_a_story_names_its_way_to_the_battery() -> None:
    head = "name: short\nabout: A short one.\nday: 2026-07-08\nminutes: 60\n"

    assert story_from(head).backend == "cloud"
    assert story_from(f"{head}backend: v1r\n").backend == "v1r"
    with pytest.raises(StoryError, match="none of cloud, fleetapi, v1r"):
        story_from(f"{head}backend: tedapi\n")
