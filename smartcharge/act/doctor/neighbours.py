"""Other houses on the same computer: none may share this one's memory, and none should share its folder."""

import os
from collections.abc import Iterator

from smartcharge import neighbours
from smartcharge.act.doctor.findings import Area, Finding
from smartcharge.store import fetches
from smartcharge.toolbox import Toolbox

HERE = Area("neighbours")


def examine(tools: Toolbox) -> Iterator[Finding]:
    """Whose memory it is, by what was written down last, and by the configurations that lie beside this one."""
    config, findings = tools.config, list[Finding]()
    owner = neighbours.owner_of_memory(config, fetches.foreseen(tools.peek), os.environ)
    if owner:
        says = f"{config.database_path} is the memory of another house, that of {owner}, so nothing is done here"
        findings.append(HERE.error("database", says, neighbours.MEND))
    for other in neighbours.others_beside(config, os.environ):
        if other.path == owner:
            continue
        if other.database_path.resolve() == config.database_path.resolve():
            says = f"{other.path} is of another house and names the same database"
            findings.append(HERE.error("database", says, neighbours.MEND))
        elif other.folder.resolve() == config.folder.resolve():
            says = f"the house of {other.path} keeps its sign-ins in the same folder, {config.folder}"
            findings.append(HERE.warning("folder", says, neighbours.MEND))
    yield from findings or [HERE.ok("houses", "no other house shares this one's database or folder")]
