"""One process, and one thread, at a time: a lock file that names its holder and goes away with the work."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import lock_descriptor

from datasets.registry import DatasetError

POLL_SECONDS = 0.1
_log = logging.getLogger("datasets")


class Busy(Exception):
    """Another process or thread holds the lock; the message says which."""


@contextlib.contextmanager
def exclusive(path: Path, wait: Callable[[str], object] | None = None) -> Iterator[None]:
    """Hold the lock file ``path`` for the length of a with-block, and remove it at the end.

    The lock is the system's: it ends with the process that holds it, however that ends, so a lock file left by a
    killed process blocks nobody. Where another process or thread holds it: raises `Busy`, or, with ``wait``, calls
    that once with the holder's description and waits. Raises OSError where the folder is closed to writing or its
    file system knows no locks.
    """
    told = False
    while (descriptor := _acquire(path)) is None:
        holder = _holder(path)
        if wait is None:
            raise Busy(holder)
        if not told:
            wait(holder)
            told = True
        time.sleep(POLL_SECONDS)
    try:
        with contextlib.suppress(OSError):  # the description is a help, not the lock
            os.truncate(descriptor, 0)
            os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        yield
    finally:
        # Removed while it is still held: whoever waits finds out that its file is not this one any more.
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(descriptor)


@contextlib.contextmanager
def making(folder: Path, name: str) -> Iterator[None]:
    """Make the folder, and let one process and thread at a time make the file ``name`` in it; the others wait.

    Raises `DatasetError` where the folder cannot be written.
    """
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            told = "%s: %s is making it; waiting"
            wait = exclusive(folder / f"{name}.lock", lambda holder: _log.warning(told, folder / name, holder))
            stack.enter_context(wait)
        except OSError as error:
            raise unwritable(folder, error) from error
        yield


def unwritable(folder: Path, error: OSError, more: str = "") -> DatasetError:
    """Build the error for a folder that cannot be written: full, closed, or without locks."""
    return DatasetError(
        f"cannot write to {folder} ({error.strerror or error}); free space there, or choose another folder with "
        f"--data-dir or the environment variable HSBOOST_CACHE_DIR{more}"
    )


def _acquire(path: Path) -> int | None:
    """Open and lock the file; None where another holds it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        kept = False
        try:
            if not lock_descriptor(descriptor, blocking=False):
                return None
            # A holder may have removed the file between its opening here and its release there.
            with contextlib.suppress(FileNotFoundError):
                kept = os.path.samestat(os.fstat(descriptor), path.stat())
            if kept:
                return descriptor
        finally:
            if not kept:
                os.close(descriptor)


def _holder(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() or "another process"
    except OSError:
        return "another process"
