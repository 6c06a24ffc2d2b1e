"""Prometheus's text format, version 0.0.4.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from msgspec import Struct

Value = float | bool | datetime
Sample = tuple[Mapping[str, str], Value]


class Family(Struct, frozen=True):
    """One metric with its samples; without any it is not told at all.

    name: with its unit's suffix. kind: gauge or counter. means: one sentence.
    """

    name: str
    kind: str
    means: str
    samples: tuple[Sample, ...]


def gauge(name: str, means: str, value: Value | None) -> Family:
    """A metric without labels; None: it is not known, and not told. Instants become seconds since 1970."""
    return Family(name, "gauge", means, () if value is None else (({}, value),))


def labelled(name: str, means: str, label: str, values: Mapping[str, Value], *, kind: str = "gauge") -> Family:
    """A metric with one label, a sample for each of its values."""
    return Family(name, kind, means, tuple(({label: key}, value) for key, value in values.items()))


def states(name: str, means: str, label: str, known: Iterable[str], current: str | None) -> Family:
    """One of several states: 1 for the current one, 0 for the others."""
    return labelled(name, means, label, {state.lower(): state == current for state in known})


def exposition(families: Iterable[Family]) -> str:
    """The text, ready to be collected."""
    return "".join(f"{line}\n" for family in families if family.samples for line in _lines(family))


def _lines(family: Family) -> Iterator[str]:
    yield f"# HELP {family.name} {_escaped(family.means)}"
    yield f"# TYPE {family.name} {family.kind}"
    for labels, value in family.samples:
        pairs = ",".join(f'{label}="{_quoted(text)}"' for label, text in labels.items())
        yield f"{family.name}{f'{{{pairs}}}' if pairs else ''} {_number(value)}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', r"\"")


def _number(value: Value) -> str:
    if isinstance(value, datetime):
        return f"{value.timestamp():.0f}"
    return str(int(value)) if value == int(value) else repr(float(value))
