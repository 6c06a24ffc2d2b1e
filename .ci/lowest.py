"""Print the lowest version of every dependency that pyproject.toml allows, as constraints for pip."""
# ruff: noqa: INP001, T201  # a script that prints

import re
import tomllib
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BOUND = re.compile(r"([\w.-]+)>=([\w.]+)(,<[\w.]+)?")


def main() -> None:
    """One line for each; a dependency without a lower bound is a mistake."""
    extras = PROJECT["optional-dependencies"].values()
    for wanted in (*PROJECT["dependencies"], *(each for extra in extras for each in extra)):
        if wanted.startswith(f"{PROJECT['name']}["):
            continue
        bound = BOUND.fullmatch(wanted)
        if bound is None:
            raise SystemExit(f"{wanted!r} has no lower bound")
        print(f"{bound[1]}=={bound[2]}")


if __name__ == "__main__":
    main()
