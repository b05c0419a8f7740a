"""One module per kind of source. Each has ``read(info, data_dir) -> Table``; registry.toml says which one to
use.

A loader checks its file, returns every row (`datasets._table.Table`) with the categories fixed over all rows,
and leaves missing values missing. Splitting, subsets and encodings are done once, in `datasets.load`.
"""
