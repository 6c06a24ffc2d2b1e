"""The memory: one SQLite database, a module for each family of tables."""

HOLD_FILE_NAME = "powerwall-hold.json"
"""Beside the database; named here so that an idle run can look for it without loading anything."""
