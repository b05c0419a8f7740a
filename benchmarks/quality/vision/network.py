"""The paper's network: four 3 x 3 convolutions with batch norm, two poolings, two dense layers."""

from __future__ import annotations

from torch import nn

DENSE = 512


def network(channels: int, height: int, width: int, hidden: int, classes: int) -> nn.Sequential:
    """Scores (B, classes) from pictures (B, channels, height, width)."""
    layers: list[nn.Module] = []
    for i in range(4):
        layers += [nn.Conv2d(channels if i == 0 else hidden, hidden, 3, padding=1), nn.BatchNorm2d(hidden)]
        layers += [nn.MaxPool2d(2)] * (i % 2)
        layers.append(nn.ReLU())
    flat = (height // 4) * (width // 4) * hidden
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(flat, DENSE), nn.ReLU(), nn.Linear(DENSE, classes))
