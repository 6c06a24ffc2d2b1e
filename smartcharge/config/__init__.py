"""The owner's configuration: schema, loading with file and line, where it is found."""
