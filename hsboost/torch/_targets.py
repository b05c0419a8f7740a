"""Checks of both losses' input: scores and targets of matching shapes, and the reduction."""

from __future__ import annotations

import torch
from torch import Tensor

from hsboost import _validation as check

REDUCTIONS = ("mean", "sum", "none")
INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def check_reduction(reduction: str) -> str:
    """One of "mean", "sum" and "none"."""
    return check.check_choice(reduction, "reduction", REDUCTIONS)


def check_logits(logits: Tensor) -> Tensor:
    """Scores (B,) or (B, C), at least one row, as float32 or float64."""
    if not isinstance(logits, Tensor) or not logits.is_floating_point():
        raise ValueError(f"input must be a tensor of floats, got {getattr(logits, 'dtype', type(logits))}")
    if logits.ndim not in (1, 2) or logits.numel() == 0:
        raise ValueError(f"input must have shape (B,) or (B, C) and hold a row, got {tuple(logits.shape)}")
    return logits if logits.dtype == torch.float64 else logits.float()


def check_classes(target: Tensor, rows: int, classes: int) -> Tensor:
    """Class indices (B,), whole numbers."""
    if target.dtype not in INTEGERS:
        raise ValueError(f"target must hold class indices as whole numbers, got {target.dtype}; use target.long()")
    if target.shape != (rows,):
        raise ValueError(f"target must have shape ({rows},), one class per row of input; got {tuple(target.shape)}")
    if readable(target) and bool(((target < 0) | (target >= classes)).any()):
        bad = int(target[(target < 0) | (target >= classes)][0])
        raise ValueError(f"target must hold classes 0 to {classes - 1}, as input has {classes} columns; got {bad}")
    return target


def check_binary(target: Tensor, shape: torch.Size) -> Tensor:
    """Zeros and ones of the given shape, any number type."""
    if target.shape != shape:
        raise ValueError(f"target must have input's shape {tuple(shape)}, got {tuple(target.shape)}")
    if readable(target) and target.dtype != torch.bool and bool(((target != 0) & (target != 1)).any()):
        bad = target[(target != 0) & (target != 1)][0].item()
        raise ValueError(f"target must hold 0 and 1 only, got {bad}")
    return target


def readable(t: Tensor) -> bool:
    """Whether reading values is free: in host memory, outside of transforms and compilers."""
    if torch.compiler.is_compiling() or t.device.type != "cpu":
        return False
    try:
        return type(t) in (Tensor, torch.nn.Parameter) and t.data_ptr() != 0
    except RuntimeError:  # a batch of is_grads_batched=True has no memory of its own
        return False


def by_plain_operations(x: Tensor) -> bool:
    """Whether a non-linear function has to be written out here instead of being a ``torch.autograd.Function``.

    For compilers, and under ``torch.func``: jacfwd of jacfwd silently drops, of the rule for forward mode, what the
    saved tensors owe to the outer one (torch 2.13).
    """
    return torch.compiler.is_compiling() or torch._C._functorch.is_functorch_wrapped_tensor(x)


def indicators(target: Tensor, classes: int, dtype: torch.dtype) -> Tensor:
    """(B, classes) of 0 and 1; unlike one_hot it does not synchronise with a GPU."""
    return (target.unsqueeze(-1) == torch.arange(classes, device=target.device)).to(dtype)
