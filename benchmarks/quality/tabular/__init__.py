"""Losses on tables, under one of four protocols; the paper's table among them, made honestly.

``adapters``, ``rivals`` and ``published`` say what a loss is to each booster, ``boosters`` train it on one of the
``splits``; ``evaluate`` and ``resample`` measure on test, ``tuning`` searches. ``protocols`` and ``plan`` say which
runs, ``run`` makes them; ``statistics`` (with the tests of ``compare``) are what ``report`` and ``plots`` show.
"""
