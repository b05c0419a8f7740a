"""HSClassifier on a Dask cluster: one threshold for rows that stay where they are. Needs ``hsboost[dask]``."""

from __future__ import annotations

try:
    import dask.array
    import dask.dataframe  # noqa: F401
    import distributed  # noqa: F401
except ImportError as error:
    raise ImportError(
        f"hsboost.dask needs dask, its data frames and distributed ({error}); install them with "
        '`pip install "hsboost[dask]"`'
    ) from error

from hsboost.dask._estimator import DaskHSClassifier

__all__ = ["DaskHSClassifier"]
