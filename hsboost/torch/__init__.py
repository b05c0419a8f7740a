"""The HyperSimplex layer and losses for PyTorch: ``pip install "hsboost[torch]"``.

`soft_binary_argmax` projects scores onto the hypersimplex; `HypersimplexLoss`, `HypersimplexSmoothLoss`,
`HypersimplexSmoothFYLoss` and `ExactLoss` are ``nn.Module`` losses with the mathematics of `hsboost.losses`. Nothing
else in the package imports this module, and it alone imports torch.
"""

from __future__ import annotations

try:
    import torch as _torch  # noqa: F401
except ImportError as error:
    raise ImportError("hsboost.torch needs PyTorch; install it with: pip install 'hsboost[torch]'") from error

from hsboost.torch._exact import ExactLoss
from hsboost.torch._hypersimplex import HypersimplexLoss
from hsboost.torch._projection import soft_binary_argmax
from hsboost.torch._smooth import HypersimplexSmoothFYLoss, HypersimplexSmoothLoss

__all__ = [
    "ExactLoss",
    "HypersimplexLoss",
    "HypersimplexSmoothFYLoss",
    "HypersimplexSmoothLoss",
    "soft_binary_argmax",
]
