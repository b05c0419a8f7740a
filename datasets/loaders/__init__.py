"""One module per kind of source; registry.toml says which one to use.

A published set's module has ``HOOKS``, what `published` needs to know of it. `shipped` and `own` have
``read() -> Table``: they check the file and return every row with the categories fixed over all rows, missing values
left missing. Splitting, subsets and encodings are done once, in `datasets.load`.
"""
