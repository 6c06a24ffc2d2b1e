"""Values of the example that nobody has put his own in place of: they load, and can be nobody's."""

import re
from collections.abc import Iterator

from smartcharge.act.doctor.findings import Area, Finding
from smartcharge.secret import Secret
from smartcharge.toolbox import Toolbox

EXAMPLES = {
    "eon_next.email": "you@example.com",
    "eon_next.password": "your-eon-password",
    "myenergi.api_key": "abcdef12",
    "tesla.account_email": "you@tesla.com",
    "gcal.smtp_user": "sender@gmail.com",
    "gcal.invite_to": "your-calendar@gmail.com",
}
BLANKS = re.compile(r"(A-)?(X{4,}|\.{3})", re.IGNORECASE)
"""What stands for something else wherever it stands."""
MEND = "Put in your own, or leave it out if it is not needed"
FILLED_IN = ("eon_next", "myenergi", "tesla", "gcal", "alerts")


def examine(tools: Toolbox, area: Area) -> Iterator[Finding]:
    """Name every key that still holds an example; what it holds is not shown."""
    for key, text in _texts(tools):
        if text == EXAMPLES.get(key) or BLANKS.fullmatch(text):
            yield area.error("placeholder", f"{key} is still the example's", MEND)


def _texts(tools: Toolbox) -> Iterator[tuple[str, str]]:
    for name in FILLED_IN:
        section = getattr(tools.config, name)
        for key in section.__struct_fields__ if section else ():
            value = getattr(section, key)
            text = value.reveal() if isinstance(value, Secret) else value
            if isinstance(text, str):
                yield f"{name}.{key}", text
