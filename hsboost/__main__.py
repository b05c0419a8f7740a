"""``python -m hsboost``: see :mod:`hsboost.comparison`."""

import sys

from hsboost.comparison._command import main

if __name__ == "__main__":
    sys.exit(main())
