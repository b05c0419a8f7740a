"""A fitted classifier as one JSON file: what it holds, how that is checked, and how it shows to be read rightly."""
