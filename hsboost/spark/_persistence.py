"""Estimators and models in pyspark.ml's folders: parameters as JSON, the model as the file that HSClassifier writes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from pyspark.ml.util import (
    DefaultParamsReader,
    DefaultParamsWriter,
    MLReadable,
    MLReader,
    MLWritable,
    MLWriter,
)

from hsboost.estimators import HSClassifier
from hsboost.estimators._model_file import persistence, plain
from hsboost.losses import LOSSES, Loss

#: Characters of the model's file in one row.
CHUNK = 1 << 24
#: Where our part of the metadata lies.
_OWN = "hsboost"


class Writable(MLWritable):
    """An estimator that can be saved."""

    def write(self) -> Any:
        """A writer: ``write().overwrite().save(path)``."""
        return _Writer(self)


class Readable(MLReadable[Any]):
    """An estimator that can be loaded."""

    @classmethod
    def read(cls) -> Any:
        """A reader: ``read().load(path)``."""
        return _Reader(cls)


class ModelWritable(MLWritable):
    """A model that can be saved."""

    def write(self) -> Any:
        """A writer: ``write().overwrite().save(path)``."""
        return _ModelWriter(self)


class ModelReadable(MLReadable[Any]):
    """A model that can be loaded."""

    @classmethod
    def read(cls) -> Any:
        """A reader: ``read().load(path)``."""
        return _ModelReader(cls)


class _Writer(MLWriter):
    def __init__(self, instance: Any) -> None:
        super().__init__()
        self.instance = instance

    def saveImpl(self, path: str) -> None:
        own = {param.name: _encoded(param.name, value) for param, value in self.instance._paramMap.items()}
        # Parameters in terms of JSON that keeps the keys of mappings; pyspark's own entries stay empty.
        bare = self.instance.copy()
        bare._defaultParamMap = {}
        DefaultParamsWriter.saveMetadata(bare, path, _context(self), {_OWN: own}, paramMap={})


class _Reader(MLReader[Any]):
    def __init__(self, cls: Any) -> None:
        super().__init__()
        self.cls = cls

    def load(self, path: str) -> Any:
        """The estimator that was saved there."""
        metadata = DefaultParamsReader.loadMetadata(path, _context(self))
        return _restored(self.cls(), metadata)


class _ModelWriter(_Writer):
    def saveImpl(self, path: str) -> None:
        local = self.instance._fitted()
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "model.json"
            local.save_model(file)
            text = file.read_text(encoding="utf-8")
        super().saveImpl(path)
        parts = [(i, text[at : at + CHUNK]) for i, at in enumerate(range(0, len(text), CHUNK))]
        frame = self.sparkSession.createDataFrame(parts, "part int, text string")
        frame.coalesce(1).write.parquet(f"{path}/data")


class _ModelReader(MLReader[Any]):
    def __init__(self, cls: Any) -> None:
        super().__init__()
        self.cls = cls

    def load(self, path: str) -> Any:
        """The model that was saved there; nothing in it is executed."""
        metadata = DefaultParamsReader.loadMetadata(path, _context(self))
        rows = self.sparkSession.read.parquet(f"{path}/data").collect()
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "model.json"
            file.write_text("".join(row["text"] for row in sorted(rows, key=lambda row: row["part"])), encoding="utf-8")
            local = HSClassifier.load_model(file)
        return _restored(self.cls(local), metadata)


def _context(one: Any) -> Any:
    """What pyspark's functions want: the Spark context up to 3.5, the session from 4.0 on."""
    from pyspark import __version__

    return one.sparkSession if int(__version__.partition(".")[0]) >= 4 else one.sc


def _restored(instance: Any, metadata: dict[str, Any]) -> Any:
    instance._resetUid(metadata["uid"])
    for name, value in metadata.get(_OWN, {}).items():
        instance._set(**{name: _decoded(value)})
    return instance


def _encoded(name: str, value: Any) -> Any:
    if isinstance(value, Loss):
        kind = next((key for key, make in LOSSES.items() if make is type(value)), None)
        if kind is not None:
            return {"loss": kind, "parameters": plain.encode(persistence.parameters(value), name)}
    try:
        return {"value": plain.encode(value, name)}
    except TypeError:
        raise TypeError(
            f"{name}={value!r} is nothing that a file can hold; set it after loading, and take it back before saving: "
            f"clear({name!r})"
        ) from None


def _decoded(stored: dict[str, Any]) -> Any:
    if "loss" in stored:
        return LOSSES[stored["loss"]](**plain.decode(stored["parameters"]))
    return plain.decode(stored["value"])
