"""The memory: one SQLite database, a module for each family of tables."""
