"""Losses on tables, under one of four protocols, one of them the paper's recipe.

``adapters``, ``losses`` and ``published`` define a loss for each booster, ``boosters`` trains it on one of the
``splits``; ``evaluate`` and ``resample`` compute test metrics, ``tuning`` searches parameters. ``plan`` lists the runs,
``run`` carries them out; ``report``, ``paper``, ``notes`` and ``plots`` show the ``statistics`` (with the tests of
``compare``).
"""
