#!/usr/bin/env bash
# Numba 0.68.1: a jitted function is compiled once for every different integer constant that jitted callers hand to it,
# and once more for the variable of a loop, if that begins with a constant.
#
# One would guess that `step(x, 1)`, `step(x, 64)` and `step(x, n)` share one compiled form, that of (int64, int64), as
# they do when Python makes the calls. Inside compiled code a constant has a type of its own, Literal[int](64), which a
# callee is specialised for, although nothing in it depends on the number. A counter that starts as `i = 0` is typed
# with that literal first, and as int64 after the loop's second look at it: two forms. Where callees call others the
# effect multiplies: a quarter of the compile time of a chain of kernels was such twins. A constant from NumPy,
# np.int64(64), or the variable of `for i in range(...)` has no literal type, and adds no form.
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

TYPED = np.int64(64)


def forms(make):
    """The forms in which a callee exists after a caller has run."""

    @numba.njit
    def move(x, by):
        return x + by

    make(move)(3)
    return [str(signature[1]) for signature in move.signatures]


def constants(move):
    return numba.njit(lambda x: move(x, 1) + move(x, 2) + move(x, 64))


def typed(move):
    return numba.njit(lambda x: move(x, TYPED) + move(x, np.int64(2)))


def counter(move):
    @numba.njit
    def caller(x):
        i = 0
        while i < 3:
            x = move(x, i)
            i += 1
        return x

    return caller


def ranged(move):
    @numba.njit
    def caller(x):
        for i in range(3):
            x = move(x, i)
        return x

    return caller


def python(move):
    return lambda x: move(x, 1) + move(x, 2) + move(x, 64)


print("numba", numba.__version__, "numpy", np.__version__)
found = {make.__name__: forms(make) for make in (python, constants, typed, counter, ranged)}
for name, those in found.items():
    print(f"{name}: {len(those)} compiled: {', '.join(those)}")
expected = {
    "python": ["int64"],
    "constants": ["Literal[int](1)", "Literal[int](2)", "Literal[int](64)"],
    "typed": ["int64"],
    "counter": ["Literal[int](0)", "int64"],
    "ranged": ["int64"],
}
print("as described" if found == expected else "Numba's behaviour has changed")
sys.exit(0 if found == expected else 1)
PYTHON
"$folder/venv/bin/python" "$folder/forms.py"
