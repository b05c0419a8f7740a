"""Counting of rows that cannot be read, so that none is dropped silently."""

from __future__ import annotations

from typing import Any

from datasets.registry import DatasetError

SHOWN = 5


class Malformed:
    """The number of rows of a file that could not be read, their lines and the reasons; refuse above ``limit``.

    ``limit`` is the number of malformed rows to accept (they are left out and recorded). Each file has its own count.
    """

    def __init__(self, where: object, limit: int = 0) -> None:
        self.where, self.limit = where, limit
        self.count = 0
        self.first: list[tuple[int, str]] = []

    def add(self, line: int, reason: str) -> None:
        """Count one row; line numbers start at 1 and include the header."""
        self.count += 1
        self.first = sorted([*self.first, (line, reason)])[:SHOWN]

    def check(self) -> None:
        """Raise `DatasetError` with the first lines and the remedy if there are more than the limit."""
        if self.count > self.limit:
            lines = "; ".join(f"line {line}: {reason}" for line, reason in self.first)
            more = f"; and {self.count - len(self.first)} more" if self.count > len(self.first) else ""
            raise DatasetError(
                f"{self.where}: {self.count} malformed row{'s' if self.count > 1 else ''} in what was read so far, "
                f"{self.limit} allowed ({lines}{more}); mend the file, or leave such rows out with: "
                f"python -m datasets convert NAME --from PATH --max-malformed {max(10, 10 * self.count)}"
            )

    def record(self) -> dict[str, Any]:
        """Return the entries for the cache's note: the count and the first lines."""
        return {"count": self.count, "first": [[line, reason] for line, reason in self.first]}
