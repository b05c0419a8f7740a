"""Budgets: which loss finds more positives among the top k, over data sets, splits, trees, boosters, noise and rows."""
