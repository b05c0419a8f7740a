"""The same searches and metrics over rows that are spread over XGBoost's workers: sums cross machines, rows do not."""
