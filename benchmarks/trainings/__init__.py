"""The cost of the loss in training: against built-in losses, by rows and workers, out of core, on a GPU.

The same trees are trained with each objective, in rotating turns, so that slow phases of the machine affect all alike.
"""
