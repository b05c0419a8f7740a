"""Criteo: the x1 files with integer ids and their split, or Kaggle's train.txt with hexadecimal categories."""

from __future__ import annotations

from datasets.loaders import published

HOOKS = published.Hooks()
