"""A fitted classifier as one JSON file: its content, and the checks that it is undamaged and read as it was written."""
