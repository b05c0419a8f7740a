"""Speed and accuracy of the projection and of the loss's step, beside other solvers and the cost of touching memory.

``plan`` says which cases are run, ``cases`` and ``parts`` make their rows, ``methods`` lists what is timed,
``reference`` solves in long double, ``problems`` compares with it, ``case_run`` measures one case; ``aggregate`` turns
records into ratios for ``report``, ``promises`` and ``plots``.
"""
