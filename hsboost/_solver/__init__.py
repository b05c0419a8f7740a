"""The search for the scalars in which all rows meet: one problem, many groups, budgets, and hard choices of k rows."""
