"""The paper's printed figures and its stored curves, for comparison with our figures only."""

from __future__ import annotations

from typing import Any

from benchmarks.quality.vision.plan import BATCHES

SOURCE = "Gomez, Wang, Tang (arXiv 2602.23336), Table 1, 600 epochs, mean of 5 seeds; k = n/2, temperature 1.5"
#: Settings of the published runs, with display names.
SETTINGS = {
    "epochs": ("epochs", 600),
    "hidden": ("channels", 64),
    "learning_rate": ("Adam's step", 1e-4),
    "temperature": ("temperature", 1.5),
    "rows": ("pictures at most", 0),
    "validation": ("share held out", 0.0),
    "augment": ("augmentation", True),
}
#: Data set, then loss, then figure: "max" as printed (maximum over epochs of test accuracy), "final" from its curves.
_ROWS = {
    "cifar10": {
        "ce": {
            "max": (0.8885, 0.8843, 0.8807, 0.8776, 0.8725, 0.8659, 0.8541),
            "final": (0.8832, 0.8791, 0.8731, 0.8721, 0.8667, 0.8586, 0.8444),
        },
        "hypersimplex-half": {
            "max": (0.8917, 0.8874, 0.8857, 0.8821, 0.8791, 0.8750, 0.8648),
            "final": (0.8847, 0.8816, 0.8789, 0.8758, 0.8752, 0.8716, 0.8596),
        },
    },
    "fashion-mnist": {
        "ce": {
            "max": (0.9456, 0.9434, 0.9436, 0.9413, 0.9388, 0.9371, 0.9338),
            "final": (0.9413, 0.9405, 0.9391, 0.9393, 0.9335, 0.9332, 0.9307),
        },
        "hypersimplex-half": {
            "max": (0.9467, 0.9473, 0.9469, 0.9453, 0.9446, 0.9439, 0.9415),
            "final": (0.9426, 0.9430, 0.9437, 0.9410, 0.9415, 0.9416, 0.9393),
        },
    },
}


def published(dataset: str, loss: str, figure: str) -> dict[int, float]:
    """Accuracy by batch size; empty if none is published."""
    row = _ROWS.get(dataset, {}).get(loss, {}).get(figure)
    return {} if row is None else dict(zip(BATCHES, row, strict=True))


def differences(settings: dict[str, Any]) -> list[str]:
    """The settings that differ from the published runs: "epochs 40 (600)"."""
    found = []
    for name, (label, theirs) in SETTINGS.items():
        if settings[name] != theirs:
            found.append(f"{label} {_written(name, settings[name])} ({_written(name, theirs)})")
    return found


def _written(name: str, value: float | bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == "rows":
        return f"{value:,}" if value else "all"
    return f"{value:g}"
