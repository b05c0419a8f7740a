"""Rows by workers: what a round costs when several processes train one model, and what that predicts for many more."""
