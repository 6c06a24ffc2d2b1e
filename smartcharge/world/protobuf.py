"""Protocol buffers on the wire, as much of them as a gateway speaks; strict, and without a schema.

A message is its fields by number, each with its values in order. Source: https://protobuf.dev/programming-guides/encoding/.
"""

from collections.abc import Iterator

Value = int | bytes
Message = dict[int, list[Value]]
VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
WIDTHS = {FIXED64: 8, FIXED32: 4}
LONGEST_VARINT = 10


class NotProtobufError(ValueError):
    """These bytes are no message."""


def decoded(raw: bytes) -> Message:
    """Read a message; texts, bytes and messages within it stay bytes. Raises `NotProtobufError`."""
    fields: Message = {}
    place = 0
    while place < len(raw):
        key, place = _varint(raw, place)
        number, kind = key >> 3, key & 7
        if number == 0 or kind not in {VARINT, FIXED64, LENGTH, FIXED32}:
            raise NotProtobufError(f"field {number} of kind {kind}")
        value, place = _value(raw, place, kind)
        fields.setdefault(number, []).append(value)
    return fields


def encoded(*fields: tuple[int, Value | str]) -> bytes:
    """Write a message: whole numbers as varints, everything else with its length."""
    return b"".join(_written(number, value) for number, value in fields)


def within(message: Message, *numbers: int) -> Message:
    """The message that lies in a field of a field; an empty one where there is none."""
    for number in numbers:
        message = decoded(text(message, number))
    return message


def text(message: Message, number: int) -> bytes:
    """The last value of a field, as bytes; none where it is missing."""
    found = message.get(number, [b""])[-1]
    if isinstance(found, int):
        raise NotProtobufError(f"field {number} is a number")
    return found


def whole(message: Message, number: int) -> int:
    """The last value of a field, as a number; 0 where it is missing, as protocol buffers have it."""
    found = message.get(number, [0])[-1]
    if isinstance(found, bytes):
        raise NotProtobufError(f"field {number} is no number")
    return found


def _value(raw: bytes, place: int, kind: int) -> tuple[Value, int]:
    if kind == VARINT:
        return _varint(raw, place)
    width, place = (WIDTHS[kind], place) if kind in WIDTHS else _varint(raw, place)
    found = raw[place : place + width]
    if len(found) < width:
        raise NotProtobufError("cut off")
    return (int.from_bytes(found, "little") if kind in WIDTHS else found), place + width


def _varint(raw: bytes, place: int) -> tuple[int, int]:
    value = 0
    for count, byte in enumerate(raw[place : place + LONGEST_VARINT]):
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:  # noqa: PLR2004 - the bit that says there is more
            return value, place + count + 1
    raise NotProtobufError("a number that does not end")


def _written(number: int, value: Value | str) -> bytes:
    if isinstance(value, int):
        return bytes(_septets(number << 3 | VARINT)) + bytes(_septets(value))
    raw = value.encode() if isinstance(value, str) else value
    return bytes(_septets(number << 3 | LENGTH)) + bytes(_septets(len(raw))) + raw


def _septets(value: int) -> Iterator[int]:
    while value > 0x7F:  # noqa: PLR2004 - seven bits a byte
        yield value & 0x7F | 0x80
        value >>= 7
    yield value
