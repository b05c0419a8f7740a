"""What the loss costs in training: beside built-in losses, by rows and workers, out of core, on a GPU.

The same trees are trained under each objective, in turns that rotate, so that ratios are of one moment.
"""
