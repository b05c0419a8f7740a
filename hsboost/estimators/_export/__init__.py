"""A fitted classifier in other runtimes' formats: the content of a file, writing it, verifying it."""
