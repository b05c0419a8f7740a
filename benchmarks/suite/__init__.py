"""The parts that all benchmarks share, from the request to the report.

``options`` reads a request; ``run`` carries out its missing runs, and ``store`` keeps each finished one; ``measure``
measures time and memory, ``environment`` describes machine and software; ``report`` writes the files from ``tables``,
``requirements`` (figures and their bounds) and ``plots`` in one style.
"""
