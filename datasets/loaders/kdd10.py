"""KDD Cup 2010: libsvm's kddb (validation from the end of train), or a student log (each student's rows by time)."""

from __future__ import annotations

from datasets.loaders import published

HOOKS = published.Hooks()
