"""KDD Cup 2012, track 2: libsvm's kdd12.tr and kdd12.val (validation from the end of kdd12.tr), or the click log."""

from __future__ import annotations

from datasets.loaders import published

HOOKS = published.Hooks()
