"""Bare Numba loops over arrays: no validation, no allocation of results, outputs written into the caller's arrays.

Every reduction works block by block and writes one partial sum per block, which the caller adds up in block
order. The result therefore does not depend on the number of threads, to the last bit, and the summation is
pairwise in effect, so it stays accurate at 1e8 rows.
"""
