"""The search for the scalars that couple all rows: one problem, many groups, budgets, and the hard top k."""
