"""jaxopt: projection onto a box section, compiled by XLA."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.rivals._base import FloatArray, Rival


class Jaxopt(Rival):
    """``jaxopt.projection.projection_box_section`` with its defaults (30 halvings), compiled, in the scores' dtype.

    Weights enter by p = √w y: min ‖p - √w x‖² over 0 <= p <= √w, √w·p = k.
    """

    name = "jaxopt"
    label = "jaxopt box section"
    kinds = ("one", "columns")  # groups would need one compilation for each size
    packages = (("jaxopt", "jaxopt"), ("jax", "jax"), ("jaxlib", "jaxlib"))

    def prepare(self, x: FloatArray, k: float, w: FloatArray | None) -> Callable[[], FloatArray]:
        """See :class:`Rival`."""
        return self._compiled(x, k, w)

    def prepare_columns(self, x: FloatArray, k: FloatArray, w: FloatArray | None) -> Callable[[], FloatArray]:
        """See :class:`Rival`: all columns in one call, by ``vmap``."""
        return self._compiled(x, k, w)

    @staticmethod
    def _compiled(x: FloatArray, k: float | FloatArray, w: FloatArray | None) -> Callable[[], FloatArray]:
        jax = importlib.import_module("jax")
        jaxopt = importlib.import_module("jaxopt")

        jax.config.update("jax_enable_x64", True)
        jnp = jax.numpy
        z = jnp.asarray(x)
        mass = jnp.asarray(k, dtype=z.dtype)
        box_section = jaxopt.projection.projection_box_section
        # As constants they would be folded at compile time, slowly, and stay in memory: pass them as arguments.
        zeros = jnp.zeros(z.shape[0], z.dtype)

        def solve_one(z: Any, c: Any, lo: Any, r: Any) -> Any:
            return box_section(z, (lo, r, r, c)) if w is None else box_section(r * z, (lo, r, r, c)) / r

        root = jnp.ones_like(zeros) if w is None else jnp.sqrt(jnp.asarray(w))
        along_columns = jax.vmap(solve_one, in_axes=(1, 0, None, None), out_axes=1)
        project = jax.jit(solve_one if z.ndim == 1 else along_columns)
        arguments = (z, mass, zeros, root)

        def solve() -> FloatArray:
            return np.asarray(project(*arguments).block_until_ready())

        return solve
