"""What Kraken is asked, in fields that every device has; values travel as variables only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

DEVICES: Final = "devices"
FLEX: Final = "flexPlannedDispatches"
COMPLETED: Final = "completedDispatches"
OLD_PLANNED: Final = "plannedDispatches"
SIGNED_IN: Final = "obtainKrakenToken"
VIEWER: Final = "viewer"

_DEVICES = f"{DEVICES}(accountNumber: $account) {{ id deviceType status {{ current isSuspended currentState }} }}"
_OLD_FIELDS = "start end delta meta { source location }"
_COMPLETED = f"{COMPLETED}(accountNumber: $account) {{ {_OLD_FIELDS} }}"
_OLD_PLANNED = f"{OLD_PLANNED}(accountNumber: $account) {{ {_OLD_FIELDS} }}"


@dataclass(frozen=True, slots=True)
class Question:
    """A GraphQL document and its variables, which may be secret."""

    text: str
    variables: Mapping[str, object]

    @property
    def body(self) -> Mapping[str, object]:
        """What is posted."""
        return {"query": self.text, "variables": self.variables}


def alias(position: int) -> str:
    """The name under which the answer holds the plan of the n-th device asked about."""
    return f"d{position}"


def everything(account: str, devices: Sequence[str]) -> Question:
    """The devices, the plan of each that is known, and what was completed."""
    names = "".join(f", ${alias(n)}: String!" for n in range(len(devices)))
    text = f"query Plan($account: String!{names}) {{ {_DEVICES} {_plans(len(devices))} {_COMPLETED} }}"
    return Question(text, {"account": account, **_as_variables(devices)})


def registry(account: str) -> Question:
    """The devices, and nothing else."""
    return Question(f"query Devices($account: String!) {{ {_DEVICES} }}", {"account": account})


def plans(devices: Sequence[str]) -> Question:
    """The plan of each device, and nothing else; at least one device."""
    names = ", ".join(f"${alias(n)}: String!" for n in range(len(devices)))
    return Question(f"query Plans({names}) {{ {_plans(len(devices))} }}", _as_variables(devices))


def old_plan(account: str) -> Question:
    """The same from the query that came before, which tells no devices apart."""
    return Question(
        f"query OldPlan($account: String!) {{ {_DEVICES} {_OLD_PLANNED} {_COMPLETED} }}", {"account": account}
    )


def sign_in(credentials: Mapping[str, str]) -> Question:
    """A token for an address and password, an API key, or a refresh token."""
    fields = "token payload refreshToken refreshExpiresIn"
    text = f"mutation SignIn($input: ObtainJSONWebTokenInput!) {{ {SIGNED_IN}(input: $input) {{ {fields} }} }}"
    return Question(text, {"input": dict(credentials)})


def own_accounts() -> Question:
    """The account numbers of whoever is signed in."""
    return Question(f"query OwnAccounts {{ {VIEWER} {{ accounts {{ number }} }} }}", {})


def _plans(count: int) -> str:
    fields = "start end type energyAddedKwh"
    return " ".join(f"{alias(n)}: {FLEX}(deviceId: ${alias(n)}) {{ {fields} }}" for n in range(count))


def _as_variables(devices: Sequence[str]) -> dict[str, object]:
    return {alias(n): device for n, device in enumerate(devices)}
