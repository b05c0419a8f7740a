"""One module per kind of source; registry.toml says which one to use.

A published set's module has ``HOOKS``, its special cases for `published`. `shipped` and `own` have ``read() -> Table``:
they check the file and return every row, with the categories fixed over all rows and missing values unchanged. Splits,
subsets and encodings are handled once, in `datasets.load`.
"""
