"""The GPU path: its kernels against the device's memory bandwidth, and XGBoost's training with it and without.

``plan`` says what is run, ``machine`` what it is run on, ``kernels`` times one size of the passes, ``training`` one
turn over the objectives; ``run`` plays what is missing and keeps it; ``aggregate`` makes ratios for ``report``,
``promises`` and ``plots``.
"""
