"""Other numbers of the policy, as typed, checked by the same rules as the configuration."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, get_type_hints

from msgspec import structs
from msgspec.structs import replace

from smartcharge.core.model import Policy
from smartcharge.core.replay import Amend
from smartcharge.settings import Control, nearest
from smartcharge.toolbox import Toolbox
from smartcharge.typed import right, typed, without_none

SECTION: Final = "control."
FIELDS: Final = {
    "extension": "extension",
    "release_lead_seconds": "release_lead",
    "min_hold_seconds": "min_hold",
    "grace_seconds": "grace",
    "max_hours_per_day": "max_hours_per_day",
    "cheap_period": "cheap_period",
}
"""Keys of the section `control` that are numbers of the policy, each with its name there."""
NO_CAP: Final = {"null", "none"}


def supposed(tools: Toolbox, given: Mapping[str, str]) -> Amend:
    """What these values, given by key (with or without `control.`), make of a policy.

    ValueError, fit to be shown, for a key that is no number of the policy and for a value that is not right.
    """
    values = {key.removeprefix(SECTION): _value(key.removeprefix(SECTION), text) for key, text in given.items()}
    control = structs.replace(tools.config.control, **values)
    policy = Toolbox(structs.replace(tools.config, control=control), tools.now, looking=True).policy
    changed = {FIELDS[key]: getattr(policy, FIELDS[key]) for key in values}

    def amend(was: Policy) -> Policy:
        return replace(was, **changed)

    return amend


def _value(key: str, text: str) -> object:
    if key not in FIELDS:
        near = nearest(key, FIELDS)
        meant = f"Did you mean {SECTION}{near}?" if near else f"It should be one of {', '.join(FIELDS)}."
        raise ValueError(f"{SECTION}{key} is not a number of the policy. {meant}")
    kind = get_type_hints(Control, include_extras=True)[key]
    wanted = without_none(kind)
    if wanted is not kind and text.strip().lower() in NO_CAP:
        return None
    spelt = re.sub(r"[\[\]\"' ]", "", text).replace("-", ",") if key == "cheap_period" else text
    try:
        return typed(spelt, wanted, Path)
    except ValueError:
        raise ValueError(f"{SECTION}{key} is {text}. {right(wanted, text)}.") from None
