"""The last guard against telling a secret: whatever a finding quotes, secrets and serials are struck out of it."""

from collections.abc import Iterator

from msgspec.structs import replace

from smartcharge.act.doctor.findings import Finding, Tell
from smartcharge.toolbox import Toolbox

SHOWN_DIGITS = 4
SHORTEST = 6
"""A shorter word is struck out of innocent sentences, too."""


def masked(tools: Toolbox, tell: Tell) -> Tell:
    """Tell findings with every secret of the configuration struck out."""
    masks = {found: mask for found, mask in _masks(tools) if len(found) >= SHORTEST}

    def told(finding: Finding) -> None:
        says, mend = finding.says, finding.mend
        for secret, mask in masks.items():
            says, mend = says.replace(secret, mask), mend.replace(secret, mask)
        tell(replace(finding, says=says, mend=mend))

    return told


def tail(serial: str) -> str:
    """Enough of a serial number to tell two devices apart."""
    return f"...{serial[-SHOWN_DIGITS:]}" if len(serial) > SHOWN_DIGITS else serial


def _masks(tools: Toolbox) -> Iterator[tuple[str, str]]:
    for secret in tools.config.secrets:
        yield secret.reveal(), "***"
    hub = tools.config.myenergi
    for serial in (hub.hub_serial, hub.zappi_serial):
        if serial:
            yield serial, tail(serial)
