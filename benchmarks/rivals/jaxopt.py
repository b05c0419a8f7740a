"""jaxopt: projection onto a box section, compiled by XLA."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.rivals._base import FloatArray, Rival


class Jaxopt(Rival):
    """``jaxopt.projection.projection_box_section`` as it comes (30 halvings), compiled, in the scores' own type.

    Weights enter by p = √w y: min ‖p - √w x‖² over 0 <= p <= √w, √w·p = k.
    """

    name = "jaxopt"
    label = "jaxopt box section"
    packages = (("jaxopt", "jaxopt"), ("jax", "jax"), ("jaxlib", "jaxlib"))

    def prepare(self, x: FloatArray, k: float, w: FloatArray | None) -> Callable[[], FloatArray]:
        """See :class:`Rival`."""
        jax = importlib.import_module("jax")
        jaxopt = importlib.import_module("jaxopt")

        jax.config.update("jax_enable_x64", True)
        jnp = jax.numpy
        z = jnp.asarray(x)
        mass = jnp.asarray(k, dtype=z.dtype)
        if w is None:
            # Constants of the compiled function would be folded at compile time, slowly, and kept: pass them instead.
            zeros, ones = jnp.zeros_like(z), jnp.ones_like(z)
            project = jax.jit(lambda z, lo, hi, c: jaxopt.projection.projection_box_section(z, (lo, hi, hi, c)))
            arguments: tuple[Any, ...] = (z, zeros, ones, mass)
        else:
            root = jnp.sqrt(jnp.asarray(w))
            project = jax.jit(lambda z, lo, r, c: jaxopt.projection.projection_box_section(r * z, (lo, r, r, c)) / r)
            arguments = (z, jnp.zeros_like(z), root, mass)

        def solve() -> FloatArray:
            return np.asarray(project(*arguments).block_until_ready())

        return solve
