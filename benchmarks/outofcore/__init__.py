"""Training on more rows than memory should hold: what it needs, beside the raw size and a bound."""
