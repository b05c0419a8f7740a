"""The loaders of pictures: published formats, checksums, the JPEG copy, damage."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import pickle
import struct
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets import vision as pictures
from datasets.registry import DatasetError
from datasets.vision import load_images

pytestmark = pytest.mark.usefixtures("own_cache")


def publish(name: str, folder: Path, contents: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Put files into a folder and take their checksums for the published ones."""
    folder.mkdir(parents=True)
    files = []
    for file in pictures.FILES[name]:
        raw = contents[file.name]
        (folder / file.name).write_bytes(raw)
        files.append(replace(file, size=None, checksum=f"md5:{hashlib.md5(raw).hexdigest()}"))
    monkeypatch.setitem(pictures.FILES, name, tuple(files))


def idx(array: np.ndarray) -> bytes:
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes())


def fashion(rng: np.random.Generator) -> tuple[dict[str, np.ndarray], dict[str, bytes]]:
    arrays = {
        "train-images-idx3-ubyte.gz": rng.integers(0, 256, (7, 28, 28)),
        "train-labels-idx1-ubyte.gz": rng.integers(0, 10, 7),
        "t10k-images-idx3-ubyte.gz": rng.integers(0, 256, (3, 28, 28)),
        "t10k-labels-idx1-ubyte.gz": rng.integers(0, 10, 3),
    }
    return arrays, {name: idx(array) for name, array in arrays.items()}


def test_fashion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    arrays, files = fashion(rng)
    publish("fashion-mnist", tmp_path / "fashion-mnist", files, monkeypatch)
    found = load_images("fashion-mnist", tmp_path)
    wanted = list(arrays.values())
    assert found.train_x.shape == (7, 1, 28, 28)
    assert found.copy == "published"
    for array, expected in zip(
        (found.train_x[:, 0], found.train_y, found.test_x[:, 0], found.test_y), wanted, strict=True
    ):
        np.testing.assert_array_equal(array, expected)
    path = tmp_path / "fashion-mnist" / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(DatasetError, match=r"t10k-labels.* md5 is \w+, expected \w+ \(published\)"):
        load_images("fashion-mnist", tmp_path)


@pytest.mark.parametrize(
    "raw",
    # Without the time of compression: it would give each process of a parallel run other tests.
    [b"", b"\0\0\x08", gzip.compress(b"\0\0\x08\x01\0\0\0\x09abc", mtime=0), gzip.compress(b"abcd", mtime=0)],
)
def test_damaged_idx(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(raw)
    with pytest.raises(DatasetError, match=r"x\.gz"):
        pictures._idx(path)


def cifar(rng: np.random.Generator, evil: bool = False) -> tuple[dict[str, dict[bytes, Any]], bytes]:
    names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    batches = {
        name: {b"data": rng.integers(0, 256, (4, 3072), dtype=np.uint8), b"labels": rng.integers(0, 10, 4).tolist()}
        for name in names
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, batch in batches.items():
            raw = pickle.dumps({**batch, b"more": os.getcwd} if evil else batch, protocol=2)
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(raw)
            archive.addfile(member, io.BytesIO(raw))
    return batches, out.getvalue()


def test_cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    batches, raw = cifar(rng)
    publish("cifar10", tmp_path / "cifar10", {"cifar-10-python.tar.gz": raw}, monkeypatch)
    found = load_images("cifar10", tmp_path)
    assert found.train_x.shape == (20, 3, 32, 32)
    np.testing.assert_array_equal(found.train_x[4:8].reshape(4, -1), batches["data_batch_2"][b"data"])
    np.testing.assert_array_equal(found.test_y, batches["test_batch"][b"labels"])
    monkeypatch.setenv("HSBOOST_DATA_DIR", str(tmp_path))
    assert load_images("cifar10").source == found.source


def test_cifar_runs_nothing_from_the_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, raw = cifar(np.random.default_rng(0), evil=True)
    publish("cifar10", tmp_path / "cifar10", {"cifar-10-python.tar.gz": raw}, monkeypatch)
    with pytest.raises(DatasetError, match="getcwd has no place in a set of pictures"):
        load_images("cifar10", tmp_path)


def test_jpeg_copy(tmp_path: Path, rng: np.random.Generator) -> None:
    from PIL import Image

    plain = np.repeat(rng.integers(40, 216, (6, 3), dtype=np.uint8)[:, None, None], 32, 1).repeat(32, 2)
    parts: dict[str, Any] = {"classes": np.array([f"c{i}" for i in range(10)])}
    for part, some in (("train", plain[:4]), ("test", plain[4:])):
        raw = []
        for picture in some:
            stream = io.BytesIO()
            Image.fromarray(picture).save(stream, "JPEG", quality=95)
            raw.append(stream.getvalue())
        parts[f"{part}_jpeg"] = np.frombuffer(b"".join(raw), np.uint8)
        parts[f"{part}_offset"] = np.cumsum([0, *map(len, raw)])
        parts[f"{part}_label"] = np.arange(len(raw)).astype(np.uint8)
    (tmp_path / "cifar10").mkdir()
    np.savez(tmp_path / "cifar10" / "cifar10_jpeg.npz", **parts)
    found = load_images("cifar10", tmp_path)
    assert found.copy == "JPEG copy"
    assert "lossy" in found.note
    assert found.train_y.tolist() == [0, 1, 2, 3]
    assert np.abs(found.train_x.transpose(0, 2, 3, 1).astype(int) - plain[:4]).max() < 12
    stream = io.BytesIO()
    Image.fromarray(plain[0]).save(stream, "PNG")
    other = parts | {"test_jpeg": np.frombuffer(stream.getvalue(), np.uint8), "test_offset": [0, stream.tell()]}
    np.savez(tmp_path / "cifar10" / "cifar10_jpeg.npz", **other)
    with pytest.raises(DatasetError, match="is not the JPEG copy"):  # nor is any other format opened
        load_images("cifar10", tmp_path)
    (tmp_path / "cifar10" / "cifar10_jpeg.npz").write_bytes(b"no")
    with pytest.raises(DatasetError, match="is not the JPEG copy"):
        load_images("cifar10", tmp_path)


def test_missing_and_unknown(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"cifar-10-python\.tar\.gz or cifar10_jpeg\.npz not found in .*--download"):
        load_images("cifar10", tmp_path)
    with pytest.raises(DatasetError, match="did you mean 'cifar10'"):
        load_images("cifar")
    with pytest.raises(DatasetError, match=r"data_dir: .* is not a folder"):
        load_images("cifar10", tmp_path / "none")


def test_checksums_are_the_published_ones() -> None:
    assert [file.checksum for file in pictures.FILES["cifar10"]] == ["md5:c58f30108f718f92721af3b95e74349a"]
    assert pictures.FILES["fashion-mnist"][0].checksum == "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d"


def test_digits() -> None:
    found = load_images("digits")
    assert found.train_x.shape == (1437, 1, 8, 8)
    assert found.train_x.max() == 255
    assert len(found.test_y) == 360


@pytest.mark.skipif(
    not Path(os.environ.get("HSBOOST_REAL_DATA", ""), "cifar10", "cifar10_jpeg.npz").is_file()
    or not os.environ.get("HSBOOST_REAL_DATA"),
    reason="HSBOOST_REAL_DATA does not name a folder with the JPEG copy of CIFAR-10",
)
@pytest.mark.slow
def test_real_pictures(tmp_path: Path) -> None:
    found = load_images("cifar10", os.environ["HSBOOST_REAL_DATA"])
    assert found.train_x.shape == (50_000, 3, 32, 32)
    assert np.bincount(found.train_y).tolist() == [5000] * 10
    mean = found.train_x.mean((0, 2, 3)) / 255
    np.testing.assert_allclose(mean, (0.4914, 0.4822, 0.4465), atol=2e-3)
