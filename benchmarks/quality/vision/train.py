"""One training: the data set on the device, accuracies of every epoch, resumable in the middle."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.quality.vision.augment import Scaling, augmented, scaling
from benchmarks.quality.vision.losses import make_loss
from benchmarks.quality.vision.network import network
from benchmarks.quality.vision.plan import Case, Settings
from benchmarks.suite.run import OutOfTime
from benchmarks.suite.store import Record
from datasets.vision import DIGITS, Images
from hsboost.torch import HypersimplexLoss

#: Images scored at once.
SCORED = 2048
#: Seconds between saved states of a training.
KEPT_EVERY = 30.0


@dataclass(frozen=True)
class Resident:
    """A data set on the device: bytes and classes of training, validation and test."""

    train: tuple[Tensor, Tensor]
    valid: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    scale: Scaling
    facts: Record


def resident(images: Images, settings: Settings, seed: int) -> Resident:
    """Move a data set to the device; ``seed`` chooses the training rows kept and the validation rows among them."""
    order = np.random.default_rng(seed).permutation(len(images.train_y))
    order = order[: settings.rows] if settings.rows else order
    held = round(settings.validation * len(order))
    parts = {"valid": order[:held], "train": order[held:]}
    test = slice(None, settings.rows or None)

    def move(x: np.ndarray, y: np.ndarray) -> tuple[Tensor, Tensor]:
        return torch.from_numpy(x).to(settings.device), torch.from_numpy(y).to(settings.device)

    train, valid = (move(images.train_x[parts[part]], images.train_y[parts[part]]) for part in ("train", "valid"))
    tested = move(images.test_x[test], images.test_y[test])
    digest = hashlib.sha256(images.train_x.tobytes() + images.test_x.tobytes()).hexdigest()[:12]
    facts = {
        "copy": images.copy,
        "note": images.note,
        "digest": digest,
        "classes": len(images.classes),
        "rows": {"train": len(train[1]), "valid": len(valid[1]), "test": len(tested[1])},
    }
    return Resident(train, valid, tested, scaling(images.name, train[0]), facts)


class Training:
    """The state of one run: network, loss, optimiser, random numbers, and the curves so far."""

    def __init__(self, case: Case, settings: Settings, data: Resident) -> None:
        self.case, self.settings, self.data = case, settings, data
        device = settings.device
        with torch.random.fork_rng(devices=[0] if device == "cuda" else []):
            torch.manual_seed(case.seed)
            channels, height, width = data.train[0].shape[1:]
            self.net = network(channels, height, width, settings.hidden, data.facts["classes"])
        # Convolutions are faster with the channels innermost.
        self.net = self.net.to(device, memory_format=torch.channels_last)
        self.loss = make_loss(case.loss, settings).to(device)
        self.optimizer = torch.optim.Adam([*self.net.parameters(), *self.loss.parameters()], lr=settings.learning_rate)
        self.generator = torch.Generator(device).manual_seed(case.seed)
        self.curves: dict[str, list[float]] = {"train_loss": [], "test": [], "valid": [], "seconds": []}

    @property
    def epoch(self) -> int:
        """Finished epochs."""
        return len(self.curves["test"])

    def run_epoch(self) -> None:
        """Train over all rows once and compute the accuracies; the host waits for the device twice."""
        start = time.perf_counter()
        self.net.train()
        x, y = self.data.train
        order = torch.randperm(len(y), device=x.device, generator=self.generator)
        total = torch.zeros((), device=x.device)
        for rows in order.split(self.case.batch):
            pictures = x[rows]
            if self.settings.augment:
                pictures = augmented(pictures, self.case.dataset != DIGITS, self.generator)
            with self._precision():
                scores = self.net(self.data.scale(pictures))
            loss = self.loss(scores.float(), y[rows])
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            total += loss.detach() * len(rows)
        loss_value = float(total) / len(y)
        if not np.isfinite(loss_value):
            raise FloatingPointError(f"{self.case.key}: the training loss is {loss_value} in epoch {self.epoch + 1}")
        self.curves["train_loss"].append(loss_value)
        self.curves["seconds"].append(time.perf_counter() - start)
        self.curves["test"].append(self.accuracy(*self.data.test))
        if len(self.data.valid[1]):
            self.curves["valid"].append(self.accuracy(*self.data.valid))

    @torch.no_grad()
    def accuracy(self, x: Tensor, y: Tensor) -> float:
        """Share of rows whose highest score is that of their class."""
        self.net.eval()
        right = torch.zeros((), dtype=torch.int64, device=x.device)
        for pictures, classes in zip(x.split(SCORED), y.split(SCORED), strict=True):
            with self._precision():
                scores = self.net(self.data.scale(pictures))
            right += (scores.argmax(1) == classes).sum()
        return int(right) / len(y)

    @torch.no_grad()
    def scores(self, x: Tensor) -> Tensor:
        """Scores of all rows, float32."""
        self.net.eval()
        found = []
        for pictures in x.split(SCORED):
            with self._precision():
                found.append(self.net(self.data.scale(pictures)).float())
        return torch.cat(found)

    def aligned(self) -> float:
        """Test accuracy with each column of scores relative to its cut at the class's count of training rows.

        Losses that are invariant to a shift of a column need this for a fair comparison; the rule is the same for all.
        """
        x, y = self.data.train
        cuts = HypersimplexLoss("count", self.settings.temperature).soft_threshold(self.scores(x), y)
        x, y = self.data.test
        return int(((self.scores(x) - cuts).argmax(1) == y).sum()) / len(y)

    def _precision(self) -> Any:
        if self.settings.precision == "bfloat16":
            return torch.autocast(self.settings.device, torch.bfloat16)
        return contextlib.nullcontext()

    def keep(self, path: Path, facts: str) -> None:
        """Write the state, preceded by its SHA-256, atomically."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial, packed = path.with_name(f"{path.name}.{os.getpid()}.part"), io.BytesIO()
        state = {part: getattr(self, part).state_dict() for part in ("net", "loss", "optimizer")}
        torch.save(state | {"generator": self.generator.get_state(), "curves": self.curves, "facts": facts}, packed)
        content = packed.getvalue()
        try:
            partial.write_bytes(hashlib.sha256(content).digest() + content)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    def resume(self, path: Path, facts: str) -> None:
        """Load a state that was saved under the same facts; ignore any other, with a warning if it is damaged."""
        if not path.is_file():
            return
        content = path.read_bytes()
        digest, packed = content[:32], content[32:]
        if hashlib.sha256(packed).digest() != digest:
            warnings.warn(
                f"{path} is damaged, or of an earlier version; its run starts from the beginning", stacklevel=2
            )
            return
        state = torch.load(io.BytesIO(packed), map_location=self.settings.device, weights_only=True)
        if state["facts"] != facts:
            return
        modules: dict[str, nn.Module | torch.optim.Optimizer] = {
            "net": self.net, "loss": self.loss, "optimizer": self.optimizer
        }  # fmt: skip
        for part, module in modules.items():
            module.load_state_dict(state[part])
        self.generator.set_state(state["generator"].cpu())
        self.curves = state["curves"]


def run_case(
    case: Case,
    settings: Settings,
    data: Resident,
    shared: Record,
    kept: Path,
    say: Callable[[str], None] = lambda doing: None,
    end: float = math.inf,
) -> Record:
    """Train one case to the end, from the state in the folder ``kept`` if there is one; returns its record.

    No epoch begins after ``end`` on the monotonic clock: then the state is kept, and OutOfTime raised.
    """
    path = kept / f"{case.key.replace('/', '-')}.pt"
    facts = hashlib.sha256(json.dumps([shared, case.key, data.facts], sort_keys=True).encode()).hexdigest()
    training = Training(case, settings, data)
    training.resume(path, facts)
    last = time.monotonic()
    while training.epoch < settings.epochs:
        if time.monotonic() >= end:
            training.keep(path, facts)
            raise OutOfTime
        training.run_epoch()
        say(f"epoch {training.epoch} of {settings.epochs}, test {training.curves['test'][-1]:.3f}")
        if time.monotonic() - last > KEPT_EVERY and training.epoch < settings.epochs:
            training.keep(path, facts)
            last = time.monotonic()
    return {
        "run": case.key,
        **asdict(case),
        "data": data.facts,
        "curves": training.curves,
        "aligned": training.aligned(),
    }


def forget(case: Case, kept: Path) -> None:
    """Remove a finished run's saved state."""
    (kept / f"{case.key.replace('/', '-')}.pt").unlink(missing_ok=True)
