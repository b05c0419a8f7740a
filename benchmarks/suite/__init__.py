"""What all benchmarks share, from the request to the report.

``options`` read a request; ``run`` makes what is missing of it, ``store`` keeps each finished run; ``measure`` takes
time and memory, ``environment`` says on what; ``report`` writes the files, of ``tables``, ``requirements`` (figures
beside their bounds) and ``plots`` in one look.
"""
