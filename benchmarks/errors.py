"""The one exception that the command line turns into a single line and exit code 2."""

from __future__ import annotations

from collections.abc import Iterable


class OptionError(Exception):
    """Say which option is wrong, what it was given and what would be right.

    Raised for everything that a caller can mend by changing the command; anything else is a bug and keeps its
    traceback.
    """


def unknown(option: str, what: str, value: str, choices: Iterable[str]) -> OptionError:
    """Build the error for a value outside a closed list of choices."""
    return OptionError(f"{option}: unknown {what} {value!r}; choose from: {', '.join(choices)}")
