"""A report's page as a file: whole or not at all, and readable by its owner only."""

from pathlib import Path

from smartcharge.files import write_private


def write(path: Path, page: str) -> None:
    """Put a page where a browser may open it; an `OSError` leaves an older one as it was."""
    write_private(path.expanduser(), page.encode())
