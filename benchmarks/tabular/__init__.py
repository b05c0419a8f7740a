"""The table of the paper's appendix, made honestly: L2, log loss and HyperSimplex on tabular data.

``settings`` says what decides a run's figures, ``losses`` and ``boosters`` adapt the rivals, ``evaluate``
holds the metrics, ``plan`` says which runs, ``run`` makes them; ``aggregate`` turns runs into statistics for
``report`` and ``plots``.
"""
