"""The Parquet files in the repository, their licence notices, and the scripts that made them."""
