"""What the engines that hold rows in partitions (Dask, Spark) share: one partition's work, and what all agree on."""
