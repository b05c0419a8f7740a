"""Cost and accuracy of the losses' gradients: EXACT's quadrature, the softmax family, sampled softmax.

``cases`` says what is run and makes its rows, ``methods`` lists what is timed, ``genz`` is EXACT's sampling rival,
``case_run`` measures one case; ``aggregate`` turns records into figures for ``report``, ``promises`` and ``plots``.
"""
