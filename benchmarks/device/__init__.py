"""What is to be settled on a machine with a GPU in minutes: ``python -m benchmarks gpu-check`` and ``gpu-vision``.

``check`` starts each part in a process of its own, with a time limit; ``worker`` is that process. The ``parts`` are
``tests``, ``equality``, ``speed``, ``training`` and ``layer``, the report is ``report``. ``vision`` is the second
command.
"""
