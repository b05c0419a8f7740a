"""The cost of calls: the projection and the loss's step against other solvers and copies of the same bytes, the losses'
gradients, the GPU's kernels, the torch layer.

A *case* is a size and shape of rows, a *method* a call that is timed on it, in turns with all others of the case.
"""
