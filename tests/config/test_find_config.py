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
def folders(tmp_path: Path) -> dict[str, Path]:
    """Make the folders that are searched, without a configuration."""
    folders = {"cwd": tmp_path / "cwd", "home": tmp_path / "home", "system": tmp_path / "system"}
    for folder in (folders["cwd"], folders["home"] / ".config" / "smartcharge", folders["system"]):
        folder.mkdir(parents=True)
    return folders


def test_the_nearest_configuration_is_found_first(folders: dict[str, Path]) -> None:
    for path in (
        folders["system"] / "config.yaml",
        folders["home"] / ".config" / "smartcharge" / "config.yaml",
        folders["cwd"] / "config.yaml",
    ):
        path.touch()
        assert find_config(None, {}, **folders) == path


def test_the_option_wins_over_the_variable_and_the_variable_over_the_search(folders: dict[str, Path]) -> None:
    for path in ("cwd/config.yaml", "cwd/one.yaml", "cwd/two.yaml", "home/mine.yaml"):
        folders["cwd"].parent.joinpath(path).touch()
    environment = {"SMARTCHARGE_CONFIG": str(folders["cwd"] / "one.yaml")}

    assert find_config(None, environment, **folders) == folders["cwd"] / "one.yaml"
    assert find_config("two.yaml", environment, **folders) == folders["cwd"] / "two.yaml"
    assert find_config("~/mine.yaml", environment, **folders) == folders["home"] / "mine.yaml"


def test_a_named_configuration_that_is_missing_is_not_replaced_by_another(folders: dict[str, Path]) -> None:
    (folders["cwd"] / "config.yaml").touch()

    with pytest.raises(ConfigurationError, match=re.escape(f"{folders['cwd'] / 'other.yaml'}: there is no")):
        find_config("other.yaml", {}, **folders)
    with pytest.raises(ConfigurationError, match=r"/nowhere/x\.yaml: there is no configuration file"):
        find_config(None, {"SMARTCHARGE_CONFIG": "/nowhere/x.yaml"}, **folders)


def test_a_folder_named_like_the_configuration_is_not_one_and_a_failed_search_names_the_places(
    folders: dict[str, Path],
) -> None:
    (folders["cwd"] / "config.yaml").mkdir()

    with pytest.raises(ConfigurationError) as caught:
        find_config(None, {}, **folders)

    assert all(str(folder) in caught.value.message for folder in folders.values())
    assert "config.example.yaml" in (caught.value.fix or "")


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
