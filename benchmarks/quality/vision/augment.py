"""Augmentation on the device: random crops with mirrored edges, flips and scaling in tensor operations, by batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

#: Mean and standard deviation of the channels, as in the paper's code; other sets: those of the training images.
KNOWN = {
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.247, 0.243, 0.261)),
    "fashion-mnist": ((0.2860,), (0.3530,)),
}
#: Pixels of padding, by height: the paper's 4 of 32 and 3 of 28; 1 of 8.
PADDING = {32: 4, 28: 3, 8: 1}


@dataclass(frozen=True)
class Scaling:
    """Mean and standard deviation per channel, shape (1, channels, 1, 1), of pixels from 0 to 255."""

    mean: Tensor
    deviation: Tensor

    def __call__(self, pictures: Tensor) -> Tensor:
        """Bytes to float32 of mean 0 and deviation 1, the channels innermost in memory."""
        pictures = pictures.to(torch.float32, memory_format=torch.channels_last)
        return (pictures - self.mean) / self.deviation


def scaling(name: str, pictures: Tensor) -> Scaling:
    """The scaling of a data set; ``pictures`` (n, channels, height, width) on the device."""
    if name in KNOWN:
        mean, deviation = (255.0 * torch.tensor(part, device=pictures.device) for part in KNOWN[name])
    else:
        mean = pictures.float().mean((0, 2, 3))
        deviation = pictures.float().std((0, 2, 3))
    return Scaling(mean.view(1, -1, 1, 1), deviation.clamp(min=1.0).view(1, -1, 1, 1))


def augmented(pictures: Tensor, flips: bool, generator: torch.Generator) -> Tensor:
    """A random crop of each picture after reflection at its edges, and a random flip; bytes to bytes."""
    n, channels, height, width = pictures.shape
    pad = PADDING.get(height, height // 8)
    device = pictures.device

    def places(size: int) -> Tensor:
        shift = torch.randint(-pad, pad + 1, (n, 1), device=device, generator=generator)
        place = (torch.arange(size, device=device) + shift).abs()
        return torch.where(place < size, place, 2 * (size - 1) - place)

    rows, columns = places(height), places(width)
    if flips:
        turn = torch.rand((n, 1), device=device, generator=generator) < 0.5
        columns = torch.where(turn, columns.flip(1), columns)
    picture = torch.arange(n, device=device).view(-1, 1, 1, 1)
    channel = torch.arange(channels, device=device).view(1, -1, 1, 1)
    return pictures[picture, channel, rows.view(n, 1, -1, 1), columns.view(n, 1, 1, -1)]
