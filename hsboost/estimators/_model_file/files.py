"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

try:
    import fcntl
except ImportError:  # Windows, where a file that is open cannot be removed, which protects it, too
    fcntl = None  # type: ignore[assignment]


def write_whole(path: str | os.PathLike[str], write: Callable[[TextIO], Any]) -> None:
    """Have ``write`` fill a new file, and put it in the place of ``path`` when it is whole and on the disk.

    A link keeps pointing where it pointed: the file behind it is replaced. An existing file keeps its permissions
    (and its owner, if that is allowed); a new one gets those of any new file. A device or a pipe is written directly.

    Raises
    ------
    OSError
        IsADirectoryError for a folder, FileNotFoundError for a folder that is missing, PermissionError for a file that
        may not be written; whatever writing raises. ``path`` is then what it was, and nothing else is left.
    """
    old = _stat(path)
    if old is not None and stat.S_ISDIR(old.st_mode):
        raise IsADirectoryError(f"{os.fspath(path)} is a folder; name a file in it")
    if old is not None and not stat.S_ISREG(old.st_mode):
        with open(path, "w", encoding="utf-8") as device:
            write(device)
        return
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(f"the folder {target.parent} of {os.fspath(path)} does not exist; make it first")
    if old is not None and not os.access(target, os.W_OK):
        raise PermissionError(f"{os.fspath(path)} may not be written; change its permissions or name another file")
    _remove_stale(target)
    temporary, file = _create(target)
    try:
        with file:
            if old is not None:
                _hand_on(old, temporary)
            write(file)
            file.flush()
            os.fsync(file.fileno())
            if fcntl is not None:
                os.replace(temporary, target)  # under the lock: without it another save would take it for stale
        if fcntl is None:
            os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _create(target: Path) -> tuple[Path, TextIO]:
    """A new file beside ``target``, locked until it is closed or this process is gone."""
    while True:
        temporary = target.with_name(f"{_prefix(target)}{uuid.uuid4().hex}")
        file = open(temporary, "x", encoding="utf-8")  # noqa: SIM115
        _lock(file, wait=True)
        if fcntl is None or temporary.exists():
            return temporary, file
        file.close()  # another save removed it before it was locked


def _lock(file: Any, wait: bool) -> bool:
    """Lock a file against other processes; False if one of them has it, or the file system knows no locks."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _stat(path: str | os.PathLike[str]) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _hand_on(old: os.stat_result, temporary: Path) -> None:
    """Owner and permissions of the file that is to be replaced."""
    if hasattr(os, "chown"):
        with contextlib.suppress(OSError):  # only the superuser may change the owner
            os.chown(temporary, old.st_uid, old.st_gid)
    os.chmod(temporary, stat.S_IMODE(old.st_mode))


def _prefix(target: Path) -> str:
    """How the names of temporary files begin; short enough where the file's own name is as long as names may be."""
    name = target.name
    return f".{name if len(os.fsencode(name)) < 200 else hashlib.sha256(os.fsencode(name)).hexdigest()}."


def _remove_stale(target: Path) -> None:
    """Remove what killed processes left of earlier saves to ``target``.

    A process that is writing holds a lock on its file, which the system takes from it when it ends, in whatever way.
    """
    pattern = re.compile(re.escape(_prefix(target)) + "[0-9a-f]{32}")
    try:
        names = [name for name in os.listdir(target.parent) if pattern.fullmatch(name)]
    except OSError:  # a folder that may be written to and not read
        return
    for name in names:
        left = target.with_name(name)
        try:
            if fcntl is None:
                left.unlink()
                continue
            with open(left, "rb") as file:
                if _lock(file, wait=False):
                    left.unlink()
        except OSError:  # being written (Windows), removed by another, or another user's
            continue
