"""What the system refuses, told from what is wrong with a file: only the latter is mended by another copy."""

from __future__ import annotations

import errno
from pathlib import Path

from datasets.registry import DatasetError


def unwritable(folder: Path, error: OSError, more: str = "") -> DatasetError:
    """Build the error for a folder that cannot be written: full, closed, or without locks."""
    return DatasetError(
        f"cannot write to {folder} ({error.strerror or error}); free space there, or choose another folder with "
        f"--data-dir or the environment variable HSBOOST_CACHE_DIR{more}"
    )


def raise_refusal(path: object, error: BaseException) -> None:
    """Raise for an error of the system while ``path`` was read; return for one that the file's content explains.

    Too many open files, a refused permission or a disk error become a `DatasetError`; too little memory stays what it
    is (Arrow's is an ArrowException, too). Errors of decoders about content are OSErrors without a number.
    """
    if isinstance(error, MemoryError):
        raise error
    if isinstance(error, OSError) and error.errno not in (None, errno.ENOENT):
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}") from error
