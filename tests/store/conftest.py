"""Databases on a real disk."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from smartcharge.store.database import open_store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "smartcharge.db"


@pytest.fixture
def db(path: Path) -> Iterator[sqlite3.Connection]:
    db = open_store(path)
    yield db
    db.close()
