"""Searches and metrics over rows that are distributed over XGBoost's workers, which exchange sums instead of rows."""
