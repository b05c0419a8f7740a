"""X, y and weights as they are passed: checked, and as both boosters read them rightly."""
