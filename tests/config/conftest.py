"""Configurations on a real disk."""

from pathlib import Path

import pytest
from config_texts import ConfigError, LoadConfig

from smartcharge.config.load import Config, load_config
from smartcharge.errors import ConfigurationError


@pytest.fixture
def load(tmp_path: Path) -> LoadConfig:
    """Load a text as /…/config.yaml, mode 0600, with nothing but the given environment."""

    def load(text: str | bytes, environment: dict[str, str] | None = None, mode: int = 0o600) -> Config:
        path = tmp_path / "config.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        return load_config(path, environment or {})

    return load


@pytest.fixture
def refusal(load: LoadConfig) -> ConfigError:
    """Load what must be refused, and give what is wrong and what would be right."""

    def refusal(text: str | bytes, environment: dict[str, str] | None = None) -> str:
        with pytest.raises(ConfigurationError) as caught:
            load(text, environment)
        assert caught.value.exit_code == 4
        return f"{caught.value.message}. {caught.value.fix}"

    return refusal
