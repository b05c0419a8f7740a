"""save_model's file: permissions, links, what killed processes leave, and errors that say what to do."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hsboost.estimators._model_file import files

pytestmark = pytest.mark.truth

posix = pytest.mark.skipif(os.name != "posix", reason="permissions, links and locks of POSIX")


def write(path: Path, text: str = "new") -> None:
    files.write_whole(path, lambda file: file.write(text))


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o660, 0o755])
def test_an_existing_file_keeps_its_permissions(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text("old")
    path.chmod(mode)
    seen = []

    def during(file: object) -> None:
        (temporary,) = tmp_path.glob(".model.json.*")
        seen.append(stat.S_IMODE(temporary.stat().st_mode))

    files.write_whole(path, during)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert seen == [mode]  # it was never readable by more users while it was written


@posix
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_permissions_of_any(mask: int, tmp_path: Path) -> None:
    old = os.umask(mask)
    try:
        write(tmp_path / "model.json")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "model.json").stat().st_mode) == 0o666 & ~mask


@posix
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    real, link, dangling = tmp_path / "store" / "v1.json", tmp_path / "model.json", tmp_path / "next.json"
    real.write_text("old")
    link.symlink_to(real)
    dangling.symlink_to(tmp_path / "store" / "v2.json")
    write(link)
    write(dangling, "second")
    assert link.is_symlink()
    assert dangling.is_symlink()
    assert real.read_text() == "new"
    assert (tmp_path / "store" / "v2.json").read_text() == "second"
    assert sorted(one.name for one in tmp_path.rglob("*")) == ["model.json", "next.json", "store", "v1.json", "v2.json"]


@posix
def test_a_device_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    write(Path(os.devnull), "a")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


KILLED = """
import os, sys
from hsboost.estimators._model_file import files
def write(file):
    file.write("half")
    file.flush()
    print("writing", flush=True)
    sys.stdin.read()
files.write_whole(sys.argv[1], write)
"""


@posix
def test_what_a_killed_process_left_is_removed_and_a_live_one_is_not_disturbed(tmp_path: Path) -> None:
    path, other = tmp_path / "model.json", tmp_path / ".model.json.backup"
    other.write_text("the user's own")
    path.write_text("old")
    command = [sys.executable, "-c", KILLED, str(path)]
    live = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    killed = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert live.stdin is not None
    for process in (live, killed):
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert len(list(tmp_path.iterdir())) == 4
    write(path)
    assert len(list(tmp_path.iterdir())) == 3  # the live one's is there
    assert path.read_text() == "new"
    live.communicate("")
    assert live.returncode == 0
    assert path.read_text() == "half"  # as it would have written, whole
    assert sorted(one.name for one in tmp_path.iterdir()) == [".model.json.backup", "model.json"]


def test_a_long_name(tmp_path: Path) -> None:
    path = tmp_path / ("m" * 250 + ".json")
    write(path)
    write(path, "again")
    assert path.read_text() == "again"
    assert list(tmp_path.iterdir()) == [path]


def test_errors_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match=r"is a folder; name a file in it"):
        write(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"the folder .*none of .*model\.json does not exist; make it first"):
        write(tmp_path / "none" / "model.json")
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError):
        write(tmp_path / "file" / "model.json")
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may write everything")
def test_a_file_that_may_not_be_written(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text("old")
    path.chmod(0o400)
    with pytest.raises(PermissionError, match="may not be written"):
        write(path)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_interrupted_write_leaves_what_was_there(error: BaseException, tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text(json.dumps("old"))

    def fail(file: object) -> None:
        raise error

    with pytest.raises(type(error)):
        files.write_whole(path, fail)
    assert json.loads(path.read_text()) == "old"
    assert list(tmp_path.iterdir()) == [path]
