#!/usr/bin/env bash
# Numba 0.68.1: the dead branch of `if w is None:` is dropped before type inference where w is None, and kept where w is an
# array: everything that the branch calls is compiled for None as well.
#
# One source for "with weights" and "without" is the usual use of that rule, and one would guess that it works for both.
# For None it does. For an array the other branch goes only once the types are known: by then its callees have been compiled
# for arguments that they never get. In a conditional expression, `part = None if w is None else w[1:]`, the types of both
# branches meet in one variable, which becomes Optional(array): the callee is compiled once more, for that, with branches of
# its own on None, everything below it again, and strings for the message of an error that cannot happen. Where
# reassociation is allowed the second form may round differently from the first.
#
# Exits 0 while Numba behaves so, 1 when the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "numba==0.68.1" "numpy==2.4.6"
cat > "$folder/forms.py" <<'PYTHON'
import sys

import numba
import numpy as np


def types_of_weights(make, weights):
    @numba.njit
    def total(x, w):
        found = 0.0
        for i in range(x.size):
            found += x[i] if w is None else x[i] * w[i]
        return found

    make(total)(np.ones(4), weights)
    return [type(signature[1]).__name__ for signature in total.signatures]


def statement(total):
    @numba.njit
    def caller(x, w):
        if w is None:
            return total(x, None)
        return total(x, w[1:])

    return caller


def expression(total):
    @numba.njit
    def caller(x, w):
        part = None if w is None else w[1:]
        return total(x, part)

    return caller


print("numba", numba.__version__, "numpy", np.__version__)
found = {}
for make in (statement, expression):
    for told, weights in (("None", None), ("an array", np.ones(5))):
        found[make.__name__, told] = types_of_weights(make, weights)
        print(f"{make.__name__}, w is {told}: the callee is compiled for {found[make.__name__, told]}")
expected = {
    ("statement", "None"): ["NoneType"],
    ("statement", "an array"): ["NoneType", "Array"],
    ("expression", "None"): ["NoneType"],
    ("expression", "an array"): ["Optional"],
}
print("as described" if found == expected else "Numba's behaviour has changed")
sys.exit(0 if found == expected else 1)
PYTHON
"$folder/venv/bin/python" "$folder/forms.py"
