"""A fitted classifier in other runtimes' formats: what a file has to say, how it is written, how it proves itself."""
