"""What the loss costs in training: HyperSimplex beside built-in losses and the cheapest custom objective.

``plan`` says what is run, ``data`` draws the rows, ``objectives`` and ``boosters`` adapt what is timed, ``run`` plays
rounds over all objectives and keeps them; ``aggregate`` makes ratios for ``report``, ``promises`` and ``plots``.
"""
