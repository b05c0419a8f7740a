"""Benchmarks of hsboost, run as ``python -m benchmarks <subject>``; not part of the wheel."""
