"""The house, as data: who may import whom, at once or later, and how long anything may grow."""

import ast
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache

import pytest
from source_tree import Import, Module, find_imports, load_modules, module_from_text, module_name


@dataclass(frozen=True, slots=True)
class Room:
    """What the modules of a room may import; names are patterns, blank-separated.

    ours, libraries: at module level. later, later_libraries: besides, at the moment of use or for typing.
    """

    ours: str = ""
    libraries: str = ""
    later: str = ""
    later_libraries: str = ""


ROOMS = {
    "__init__": Room(),
    "__main__": Room("clock quiet", later="cli log"),
    "cli": Room("__init__ clock guard log session", "click"),
    "session": Room(later="config errors log refusals toolbox"),
    "guard": Room("errors log", "click"),
    # before anything heavy is loaded
    "clock": Room(),
    "places": Room(),
    "quiet": Room("__init__ places"),
    # values and tools that know nothing of the house
    "errors": Room(),
    "log": Room("errors"),
    "files": Room("errors"),
    "budget": Room(),
    "ports": Room("core.*"),
    # the configuration
    "secret": Room(),
    "settings": Room("secret", "msgspec"),
    "typed": Room("secret settings", "msgspec"),
    "yaml_text": Room("errors", "msgspec yaml"),
    "config_sources": Room("errors secret settings yaml_text", "msgspec"),
    "config": Room("config_sources errors places secret settings typed", "msgspec"),
    # the composition root, and noise
    "wiring": Room("config errors ports secret settings", later="adapters.*"),
    "refusals": Room("files"),
    "neighbours": Room("config errors quiet"),
    "toolbox": Room("budget config core.* errors files log neighbours ports refusals store store.* wiring"),
    "episodes": Room("errors store store.* toolbox wiring"),
    # core decides
    "core": Room(),
    "core.slots": Room(libraries="msgspec"),
    "core.stance": Room(libraries="msgspec"),
    "core.model": Room("core.slots", "msgspec"),
    "core.*": Room("core.*", "msgspec"),
    # store remembers
    "store": Room("errors store.border", later="store.migrations"),
    "store.border": Room("errors"),
    "store.schema": Room(),
    "store.migrations": Room("store store.legacy store.schema", "sqlite_utils"),
    "store.*": Room("core.* errors store store.*", "msgspec"),
    # adapters talk; their private parts are nobody else's
    "adapters": Room(),
    "adapters.tariff_kraken": Room("adapters._kraken_* core.* errors ports"),
    "adapters._kraken_*": Room(
        "__init__ adapters._kraken_* core.* errors files", "msgspec", later_libraries="requests urllib3"
    ),
    "adapters.charger_zappi": Room("adapters._zappi_body core.* errors ports", later_libraries="httpx pymyenergi"),
    "adapters._zappi_body": Room(later_libraries="httpx"),
    "adapters.battery_*": Room("adapters._powerwall_* core.* errors files ports", "msgspec"),
    "adapters._powerwall_*": Room("adapters._powerwall_* core.* errors files", later_libraries="pypowerwall"),
    "adapters.login_tesla": Room("adapters._powerwall_* adapters.battery_powerwall errors files"),
    "adapters.invite_ics": Room("adapters._invite_* core.* errors ports", later_libraries="icalendar"),
    "adapters._invite_*": Room("adapters._invite_* core.*"),
    "adapters.alert_mail": Room(),
    "adapters.report_mail": Room(),
    "adapters.report_html": Room("adapters._report_* core.* ports", later_libraries="jinja2"),
    "adapters._report_*": Room("core.*"),
    "adapters.watchdog_ping": Room(later_libraries="requests"),
    "adapters.mailer_smtp": Room("core.* errors ports"),
    # acts: what commands run
    "act": Room(),
    "act.doctor.neighbours": Room("act.* neighbours store.* toolbox"),
    "act.doctor.files": Room("act.* config core.* files store store.* toolbox wiring"),
    "act.doctor.placeholders": Room("act.* secret toolbox"),
    "act.reset": Room("act.* core.* episodes store store.* toolbox", later="act.assert_rest"),
    "act.plan": Room("act.* files toolbox", later="act.plan_answer"),
    "act.reconcile": Room("act.* core.* episodes errors store.* toolbox", later="act.bring_about"),
    "act.foresight": Room("act.* files places quiet store.* toolbox"),
    "act.show.metrics": Room("__init__ act.* core.*"),
    "act.doctor.bundle": Room("__init__ act.* errors store store.* toolbox"),
    "act.report.gathered": Room("__init__ act.* core.* store store.* toolbox", "msgspec"),
    "act.first_config": Room("config errors files settings typed", "msgspec"),
    "act.first_questions": Room("settings", "msgspec"),
    "act.show.supposing": Room("core.* settings toolbox typed", "msgspec"),
    "act.*": Room("act.* budget core.* episodes errors files guard log ports store store.* toolbox wiring", "msgspec"),
    # commands run; none knows another, only what is in _options
    "commands": Room(),
    "commands._visit": Room("budget errors session store store.* toolbox wiring", later="config"),
    "commands._asking": Room(libraries="click"),
    "commands._login_*": Room(
        "act.* commands._asking commands._visit core.* errors session wiring", "click", later="adapters.*"
    ),
    "commands.init": Room("act.* commands._asking places session toolbox", "click"),
    "commands.login": Room("commands._login_* session", "click"),
    "commands.demo": Room("act.words commands._options core.slots errors log session", "click", later="world.* cli"),
    "commands._options": Room("budget core.slots errors guard session", "click", later="toolbox"),
    "commands.*": Room("act.* commands._options core.* errors session store store.* toolbox", "click msgspec"),
    # the pretend street stands apart
    "world": Room(),
    "world.*": Room("world.*", "aiosmtpd graphql trustme yaml"),
}
CORE_MAY_USE = {
    *("collections", "contextlib", "datetime", "enum", "functools", "itertools"),
    *("math", "msgspec", "re", "typing", "zoneinfo"),
}
"""Neither a clock, nor the system, nor a log, nor a database; msgspec for the values."""

INTRUSIONS = {
    "the core reaches for the memory": ("core.decide", "from smartcharge.store import holds"),
    "the core reaches for a library": ("core.decide", "import requests"),
    "an adapter imports its library at once": ("adapters.charger_zappi", "import pymyenergi"),
    "an adapter knows another": ("adapters.charger_zappi", "from smartcharge.adapters import tariff_kraken"),
    "an adapter borrows another's private part": ("adapters.charger_zappi", "import smartcharge.adapters._kraken_wire"),
    "an adapter remembers": ("adapters._kraken_wire", "from smartcharge.store import services"),
    "an act goes round the toolbox": ("act.plan", "def run():\n from smartcharge.adapters import tariff_kraken"),
    "a command knows another": ("commands.tick", "from smartcharge.commands import reconcile"),
    "a command goes back to the command line": ("commands.tick", "def run():\n from smartcharge.cli import main"),
    "the product plays in the street": ("act.plan", "def run():\n from smartcharge.world import street"),
    "the street knows the product": ("world.street", "from smartcharge.core import model"),
    "typing is an excuse": ("core.decide", "if TYPE_CHECKING:\n from smartcharge.toolbox import Toolbox"),
    "an attempt hides an import": ("core.decide", "try:\n import yaml\nexcept ImportError:\n pass"),
    "a relative import hides its target": ("core.decide", "from ..store import holds"),
}

ROOMS_DEEP, FILES_DEEP = 6, 14
"""Commands, acts, episodes, toolbox, ports, core; inside act five files more, inside core three."""
TOGETHER = {
    "configuration": {"config", "config_sources", "secret", "settings", "typed", "yaml_text"},
    "composition": {"neighbours", "refusals", "toolbox", "wiring"},
}
MAKES_TOOLS = {"tariff", "charger", "battery", "mailer", "invite_writer", "page_writer"}


def room_of(module: Module) -> Room:
    """The room of the first pattern that fits; who has none may import nothing."""
    return ROOMS.get(pattern_of(module.name) or "", Room())


def pattern_of(name: str) -> str | None:
    """The first pattern in the table that fits a module."""
    return next((pattern for pattern in ROOMS if fnmatchcase(name, pattern)), None)


def fits(name: str, patterns: str) -> bool:
    """Whether one of the blank-separated patterns is meant."""
    return any(fnmatchcase(name, pattern) for pattern in patterns.split())


def is_allowed(room: Room, wanted: Import) -> bool:
    """Whether a room may import this, there and then."""
    if wanted.is_ours:
        return fits(module_name(wanted.target), f"{room.ours} {room.later}" if wanted.later else room.ours)
    if wanted.library is None:
        return True
    return fits(wanted.library, f"{room.libraries} {room.later_libraries}" if wanted.later else room.libraries)


def graph() -> dict[str, frozenset[str]]:
    """What every module imports of ours at module level."""
    return {
        name: frozenset(module_name(each.target) for each in find_imports(module) if each.is_ours and not each.later)
        for name, module in load_modules().items()
    }


def longest_chain(edges: dict[str, frozenset[str]]) -> tuple[str, ...]:
    """The longest path of a graph without cycles."""

    @cache
    def chain(name: str) -> tuple[str, ...]:
        return (name, *max((chain(target) for target in sorted(edges[name] - {name})), key=len, default=()))

    return max(map(chain, edges), key=len)


def folded(edges: dict[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """The graph with every folder taken as one room, and so the files that belong together."""

    def room(name: str) -> str:
        return next((room for room, files in TOGETHER.items() if name in files), name.split(".", maxsplit=1)[0])

    rooms = {room(name) for name in edges}
    return {
        each: frozenset(room(t) for name, targets in edges.items() if room(name) == each for t in targets)
        for each in rooms
    }


@pytest.mark.parametrize("module", load_modules().values(), ids=load_modules())
def test_a_module_imports_only_what_its_room_may(module: Module) -> None:
    assert pattern_of(module.name), f"{module.name} has no room"
    room = room_of(module)
    assert [
        f"{module.at(each.line)} {each.target}" for each in find_imports(module) if not is_allowed(room, each)
    ] == []


@pytest.mark.parametrize(("name", "text"), INTRUSIONS.values(), ids=INTRUSIONS)
def test_an_intrusion_is_noticed(name: str, text: str) -> None:
    module = module_from_text(name, text)
    assert [is_allowed(room_of(module), each) for each in find_imports(module)] == [False]


def test_every_room_is_lived_in() -> None:
    assert sorted(set(ROOMS) - {pattern_of(name) for name in load_modules()}) == []


def test_the_core_uses_nothing_that_could_touch_the_world() -> None:
    core = [module for name, module in load_modules().items() if fits(name, "core core.*")]
    used = [(module, each) for module in core for each in find_imports(module) if not each.is_ours]
    assert len(used) > 10
    assert [f"{m.at(i.line)} {i.target}" for m, i in used if i.target.split(".")[0] not in CORE_MAY_USE] == []


def test_only_the_command_table_imports_by_a_name_made_up_at_run_time() -> None:
    assert [name for name, m in load_modules().items() for node in ast.walk(m.tree) if _names_importer(node)] == ["cli"]


def test_only_the_toolbox_has_tools_made() -> None:
    asked = {
        (name, node.attr)
        for name, module in load_modules().items()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "wiring"
    }
    assert {tool for name, tool in asked if name == "toolbox"} >= MAKES_TOOLS
    assert sorted((name, tool) for name, tool in asked if name != "toolbox" and tool in MAKES_TOOLS) == []


def test_imports_run_in_no_circle() -> None:
    edges, settled = graph(), set[str]()
    while ready := {name for name in edges if name not in settled and edges[name] <= settled}:
        settled |= ready
    assert sorted(set(edges) - settled) == []


def test_the_arrows_between_rooms_are_few() -> None:
    chain = longest_chain(folded(graph()))
    assert len(chain) <= ROOMS_DEEP, " > ".join(chain)


def test_no_chain_of_imports_grows_longer() -> None:
    chain = longest_chain(graph())
    assert len(chain) <= FILES_DEEP, " > ".join(chain)


def _names_importer(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in {"import_module", "__import__"}


def test_the_package_was_found() -> None:
    assert {"__init__", "cli", "core.decide", "store", "store.holds"} <= set(load_modules())
