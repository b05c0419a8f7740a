"""CIFAR-10 and Fashion-MNIST as arrays of bytes, from local files first, with the published checksums.

``load_images("cifar10", data_dir)`` reads ``data_dir/cifar10/``, then the per-user folder. Nothing is downloaded unless
requested (``download=True``). Without the published archive of CIFAR-10 a JPEG copy is used, and named in the result.
"""

from __future__ import annotations

import gzip
import io
import os
import pickle
import re
import struct
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datasets import DATA_DIR_VARIABLE
from datasets._fetch import fetch, verify
from datasets._layouts import SourceFile
from datasets._places import user_folder
from datasets._refusals import raise_refusal
from datasets.registry import DatasetError, unknown

CIFAR10, FASHION, DIGITS = "cifar10", "fashion-mnist", "digits"
NAMES = (CIFAR10, FASHION, DIGITS)

_FASHION_SITE = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
_FASHION_FILES = {
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}
#: The published files of each set: names, addresses, sizes, checksums.
FILES: dict[str, tuple[SourceFile, ...]] = {
    CIFAR10: (
        SourceFile(
            "cifar-10-python.tar.gz",
            "published",
            ("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",),
            size=170_498_071,
            checksum="md5:c58f30108f718f92721af3b95e74349a",
        ),
    ),
    FASHION: tuple(
        SourceFile(name, "published", (_FASHION_SITE + name,), checksum=f"md5:{md5}")
        for name, md5 in _FASHION_FILES.items()
    ),
    DIGITS: (),
}
JPEG_COPY = "cifar10_jpeg.npz"

_CIFAR_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_FASHION_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


@dataclass(frozen=True)
class Images:
    """A set of images: ``train_x`` and ``test_x`` (n, channels, height, width) uint8, labels (n,) int64.

    ``classes`` are the labels' names, ``copy`` is the form that was read ("published", "JPEG copy", "shipped with
    scikit-learn"), ``source`` the file or folder, ``note`` how the copy differs from the published set.
    """

    name: str
    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray
    classes: tuple[str, ...]
    copy: str
    source: str
    note: str = ""


def load_images(
    name: str, data_dir: str | os.PathLike[str] | None = None, *, download: bool = False, jpeg: bool = False
) -> Images:
    """Load a set of images.

    Parameters
    ----------
    name : "cifar10", "fashion-mnist", or "digits" (1,797 images of 8 x 8 that scikit-learn ships, for a quick look).
    data_dir : folder with ``cifar10/`` and ``fashion-mnist/``; default the environment variable HSBOOST_DATA_DIR,
        then the per-user folder.
    download : fetch missing files into the per-user folder. Default False.
    jpeg : take the JPEG copy of CIFAR-10 even if the published archive exists. Default False.

    Raises
    ------
    DatasetError
        A ValueError: for an unknown name, files that are missing, damaged or not the published ones.
    """
    if name not in NAMES:
        raise unknown("name", name, NAMES)
    if name == DIGITS:
        return _digits()
    folders = _folders(name, data_dir)
    if name == FASHION:
        folder = next((folder for folder in folders if _has_all(name, folder)), None)
        return _fashion(folder or _fetched(name, folders, download))
    for folder in folders:
        if not jpeg and _has_all(name, folder):
            return _cifar(folder)
        if (folder / JPEG_COPY).is_file():
            return _cifar_jpeg(folder / JPEG_COPY)
    return _cifar(_fetched(name, folders, download))


def fetch_images(name: str) -> Path:
    """Download the published files of a set into the per-user folder, checksums verified; returns the folder."""
    if name not in NAMES:
        raise unknown("name", name, NAMES)
    folder = user_folder() / name
    for file in FILES[name]:
        fetch(file, folder)
    return folder


def _folders(name: str, data_dir: str | os.PathLike[str] | None) -> list[Path]:
    given, whence = data_dir, "data_dir"
    if given is None:
        given, whence = os.environ.get(DATA_DIR_VARIABLE) or None, f"environment variable {DATA_DIR_VARIABLE}"
    if given is None:
        return [user_folder() / name]
    if not Path(given).is_dir():
        raise DatasetError(f"{whence}: {str(given)!r} is not a folder")
    return [Path(given) / name, user_folder() / name]


def _has_all(name: str, folder: Path) -> bool:
    return all((folder / file.name).is_file() for file in FILES[name])


def _fetched(name: str, folders: list[Path], download: bool) -> Path:
    if download:
        return fetch_images(name)
    files = ", ".join(file.name for file in FILES[name])
    also = f" or {JPEG_COPY}" if name == CIFAR10 else ""
    raise DatasetError(
        f"{name}: {files}{also} not found in {' or '.join(map(str, folders))}; copy the files there, or allow the "
        "download (download=True, --download)"
    )


def _checked(name: str, folder: Path) -> list[Path]:
    paths = []
    for file in FILES[name]:
        path = folder / file.name
        verify(file, path)
        paths.append(path)
    return paths


def _fashion(folder: Path) -> Images:
    paths = _checked(FASHION, folder)
    train_x, train_y, test_x, test_y = (_idx(path) for path in paths)
    return _images(FASHION, train_x[:, None], train_y, test_x[:, None], test_y, _FASHION_CLASSES, folder)


def _idx(path: Path) -> np.ndarray:
    """An array in MNIST's format: two zeros, type 8 (bytes), number of dimensions, sizes (big-endian), bytes."""
    try:
        raw = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise_refusal(path, error)
        raise DatasetError(f"{path} is truncated or damaged ({error}); fetch or copy it again") from error
    dimensions = raw[3] if len(raw) > 3 and raw[:3] == b"\0\0\x08" else 0
    shape = struct.unpack_from(f">{dimensions}I", raw, 4) if dimensions and len(raw) >= 4 + 4 * dimensions else ()
    start = 4 + 4 * dimensions
    if not shape or len(raw) - start != int(np.prod(shape)):
        raise DatasetError(f"{path} is not an array of bytes in MNIST's format; fetch or copy it again")
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)


class _PlainUnpickler(pickle.Unpickler):
    """Unpickles arrays and plain values only: a pickle may otherwise run arbitrary code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module.split(".")[0], name) in {("numpy", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype")}:
            core = np.ndarray.__reduce__(np.empty(0))[0].__module__.partition(".multiarray")[0]  # numpy.core before 2.0
            return super().find_class(re.sub(r"^numpy\._?core", core, module), name)
        if (module, name) == ("_codecs", "encode"):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a set of pictures")


def _cifar(folder: Path) -> Images:
    (path,) = _checked(CIFAR10, folder)
    parts: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = Path(member.name).name
                stream = archive.extractfile(member) if "_batch" in name else None
                if stream is not None:
                    batch = _PlainUnpickler(stream, encoding="bytes").load()
                    labels = np.asarray(batch[b"labels"], dtype=np.int64)
                    parts[name] = np.asarray(batch[b"data"], np.uint8).reshape(-1, 3, 32, 32), labels
    except (OSError, EOFError, zlib.error, tarfile.TarError, pickle.UnpicklingError, KeyError, ValueError) as error:
        raise_refusal(path, error)
        raise DatasetError(f"{path} is truncated or damaged ({error}); fetch or copy it again") from error
    train = [parts[name] for name in sorted(parts) if name.startswith("data_batch")]
    if len(train) != 5 or "test_batch" not in parts:
        raise DatasetError(f"{path} holds {sorted(parts)}, expected data_batch_1 to 5 and test_batch; fetch it again")
    train_x, train_y = (np.concatenate(column) for column in zip(*train, strict=True))
    return _images(CIFAR10, train_x, train_y, *parts["test_batch"], _CIFAR_CLASSES, path)


def _cifar_jpeg(path: Path) -> Images:
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
        decoded = [_decode(arrays[f"{part}_jpeg"], arrays[f"{part}_offset"]) for part in ("train", "test")]
        labels = [arrays[f"{part}_label"] for part in ("train", "test")]
    except (OSError, EOFError, ValueError, KeyError, zlib.error) as error:
        raise_refusal(path, error)
        raise DatasetError(
            f"{path} is not the JPEG copy of CIFAR-10, or is damaged ({error}); copy it again"
        ) from error
    classes = tuple(map(str, arrays["classes"]))
    note = "lossy JPEG copies of the pictures, in another order"
    return _images(CIFAR10, decoded[0], labels[0], decoded[1], labels[1], classes, path, "JPEG copy", note)


def _decode(data: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Images (n, 3, 32, 32) from concatenated JPEG bytes."""
    from PIL import Image

    out = np.empty((len(offset) - 1, 3, 32, 32), np.uint8)
    raw = data.tobytes()
    for i, (start, stop) in enumerate(zip(offset[:-1].tolist(), offset[1:].tolist(), strict=True)):
        # Only Pillow's JPEG decoder may read these bytes.
        with Image.open(io.BytesIO(raw[start:stop]), formats=("JPEG",)) as picture:
            out[i] = np.asarray(picture.convert("RGB")).transpose(2, 0, 1)
    return out


def _digits() -> Images:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    pictures = np.round(x * (255.0 / 16.0)).astype(np.uint8).reshape(-1, 1, 8, 8)
    cut = 1437  # the last fifth is the test part
    classes = tuple(map(str, range(10)))
    source = "sklearn.datasets.load_digits"
    return _images(
        DIGITS, pictures[:cut], y[:cut], pictures[cut:], y[cut:], classes, source, "shipped with scikit-learn"
    )


def _images(
    name: str,
    train_x: np.ndarray,
    train_y: np.ndarray,
    test_x: np.ndarray,
    test_y: np.ndarray,
    classes: tuple[str, ...],
    source: Path | str,
    copy: str = "published",
    note: str = "",
) -> Images:
    for pictures, labels, part in ((train_x, train_y, "train"), (test_x, test_y, "test")):
        if len(pictures) != len(labels) or not len(labels) or int(labels.max()) >= len(classes):
            raise DatasetError(f"{source}: {len(pictures)} {part} pictures, {len(labels)} labels of {len(classes)}")
    x = [np.ascontiguousarray(pictures) for pictures in (train_x, test_x)]
    y = [labels.astype(np.int64) for labels in (train_y, test_y)]
    return Images(name, x[0], y[0], x[1], y[1], classes, copy, str(source), note)
