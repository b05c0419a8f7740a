"""What is to be settled on a machine with a GPU in minutes: ``python -m benchmarks gpu-check``.

``check`` starts each part in a process of its own, with a time limit; ``worker`` is that process. The parts are
``tests``, ``equality`` and ``speed``, the report is ``report``.
"""
