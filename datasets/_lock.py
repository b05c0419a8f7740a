"""A lock file for one process and one thread at a time; it names its holder and is removed on release."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import lock_descriptor

from datasets._refusals import unwritable

POLL_SECONDS = 0.1
_log = logging.getLogger("datasets")


class Busy(Exception):
    """Another process or thread holds the lock; the message says which."""


@contextlib.contextmanager
def exclusive(path: Path, wait: Callable[[str], object] | None = None) -> Iterator[None]:
    """Hold the lock file ``path`` for the duration of a with-block, and remove it at the end.

    It is a lock of the operating system, which ends with the process that holds it, so a lock file left by a killed
    process does not block. If another process or thread holds it: raises `Busy` or, with ``wait``, calls that once
    with the holder's description and waits. Raises OSError if the folder is not writeable or its file system does not
    support locks.
    """
    reported = False
    while (descriptor := _acquire(path)) is None:
        holder = _holder(path)
        if wait is None:
            raise Busy(holder)
        if not reported:
            wait(holder)
            reported = True
        time.sleep(POLL_SECONDS)
    try:
        with contextlib.suppress(OSError):  # the description is informative only
            os.truncate(descriptor, 0)
            os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        yield
    finally:
        # Removed while still held: a waiting process then detects that its open file is not this one any more.
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(descriptor)


@contextlib.contextmanager
def making(folder: Path, name: str) -> Iterator[None]:
    """Create the folder, and let one process and thread at a time create the file ``name`` in it; the others wait.

    Raises `DatasetError` if the folder is not writeable.
    """
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            message = "%s: %s is making it; waiting"
            wait = exclusive(folder / f"{name}.lock", lambda holder: _log.warning(message, folder / name, holder))
            stack.enter_context(wait)
        except OSError as error:
            raise unwritable(folder, error) from error
        yield


def _acquire(path: Path) -> int | None:
    """Open and lock the file; None where another holds it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        kept = False
        try:
            if not lock_descriptor(descriptor, blocking=False):
                return None
            # The holder may have removed the file after this process opened it.
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
