"""Where the configuration is looked for, and the example that is copied there."""

import re
from pathlib import Path

import msgspec
import pytest
import yaml

from smartcharge.config.load import find_config, load_config
from smartcharge.config.schema import CONFIG_SECTIONS, AlertsConfig, ControlConfig, MailConfig
from smartcharge.errors import ConfigurationError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    """Make the folders that are searched, nearest first, without a configuration."""
    folders = {name: tmp_path / name for name in ("cwd", "home", "system")}
    (folders["home"] / ".config" / "smartcharge").mkdir(parents=True)
    folders["cwd"].mkdir()
    folders["system"].mkdir()
    return folders


def test_the_nearest_configuration_is_found_first(places: dict[str, Path]) -> None:
    found = []
    for place in (
        places["system"] / "config.yaml",
        places["home"] / ".config" / "smartcharge" / "config.yaml",
        places["cwd"] / "config.yaml",
    ):
        place.touch()
        found.append(find_config(None, {}, places["cwd"], places["home"], places["system"]) == place)

    assert found == [True, True, True]


def test_the_variable_wins_over_the_search_and_the_option_over_the_variable(places: dict[str, Path]) -> None:
    for name in ("config.yaml", "one.yaml", "two.yaml"):
        (places["cwd"] / name).touch()
    environment = {"SMARTCHARGE_CONFIG": str(places["cwd"] / "one.yaml")}

    assert find_config(None, environment, places["cwd"], places["home"]).name == "one.yaml"
    assert find_config("two.yaml", environment, places["cwd"], places["home"]) == places["cwd"] / "two.yaml"


def test_a_tilde_in_the_option_is_the_home_folder(places: dict[str, Path]) -> None:
    (places["home"] / "mine.yaml").touch()

    assert find_config("~/mine.yaml", {}, places["cwd"], places["home"]) == places["home"] / "mine.yaml"


def test_a_named_configuration_that_is_not_there_is_not_replaced_by_another(places: dict[str, Path]) -> None:
    (places["cwd"] / "config.yaml").touch()

    with pytest.raises(ConfigurationError, match=re.escape(f"{places['cwd'] / 'other.yaml'}: there is no")):
        find_config("other.yaml", {}, places["cwd"], places["home"])
    with pytest.raises(ConfigurationError, match=r"/nowhere/x\.yaml: there is no configuration file"):
        find_config(None, {"SMARTCHARGE_CONFIG": "/nowhere/x.yaml"}, places["cwd"], places["home"])


def test_a_folder_named_like_the_configuration_is_none(places: dict[str, Path]) -> None:
    (places["cwd"] / "config.yaml").mkdir()
    (places["system"] / "config.yaml").touch()

    assert find_config(None, {}, places["cwd"], places["home"], places["system"]).parent == places["system"]


def test_a_search_in_vain_names_the_places_and_the_example(places: dict[str, Path]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        find_config(None, {}, places["cwd"], places["home"], places["system"])

    line = str(caught.value)
    assert all(str(place) in line for place in (places["cwd"], places["home"], places["system"]))
    assert "config.example.yaml" in line


def test_the_example_loads_and_shows_the_defaults() -> None:
    config = load_config(ROOT / "config.example.yaml", {})

    assert (config.tesla, config.invites) == (None, None)
    assert (config.gcal, config.control, config.alerts) == (MailConfig(), ControlConfig(), AlertsConfig())
    assert config.database_path == ROOT / "data" / "smartcharge.db"


@pytest.mark.parametrize("name", CONFIG_SECTIONS)
def test_the_example_names_every_key_of_a_section_and_no_other(name: str) -> None:
    example = yaml.safe_load((ROOT / "config.example.yaml").read_text(encoding="utf-8"))

    assert list(example) == list(CONFIG_SECTIONS)
    assert list(example[name]) == [setting.name for setting in msgspec.structs.fields(CONFIG_SECTIONS[name])]
