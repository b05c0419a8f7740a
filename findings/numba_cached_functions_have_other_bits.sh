#!/usr/bin/env bash
# Numba 0.68.1: a program gives other last bits in its first run than in all later ones, if a function that may be
# reassociated (fastmath) is called from a cached function.
#
# One would guess that cache=True stores the machine code that just ran, so that a second process repeats the first one bit
# for bit. Instead the callee exists twice: optimised for itself, and optimised once more as a copy in its caller's
# module. In the process that compiles, the first one is loaded first and serves the caller, too; a process that loads the
# caller from the cache runs the copy. Flags of fastmath let the two round differently: here some gradients of a loop
# without any sum differ in their last bit. Without fastmath, or with forceinline=True (then there is no second copy), the
# runs agree. A test that compares fresh results with stored ones passes or fails by the state of the cache, and so does one
# that compares serial and parallel forms of one source.
#
# Exits 0 while Numba behaves so, 1 when the behaviour has changed. Seen on x86-64 with AVX2 and FMA.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "numba==0.68.1" "numpy==2.4.6"
cd "$folder"

write() { # write NAME OPTIONS: a module with the same two functions
  cat > "$1.py" <<PYTHON
import numba


@numba.njit($2cache=True)
def steps(x, y, w, share, gradient, hessian):
    for i in range(x.size):
        v = x[i] * 0.9 - 0.1
        inside = (v > 0.0) & (v < 1.0)
        r = min(max(v, 0.0), 1.0) - y[i] - 0.01
        gradient[i] = 0.3 * w[i] * r if inside else 0.5 * w[i] * r
        hessian[i] = 0.7 * w[i] * max(1.0 - w[i] * share, 1e-3) if inside else 0.7 * w[i] * 1e-3


@numba.njit(cache=True)
def by_group(x, y, w, offsets, gradient, hessian):
    for g in range(offsets.size - 1):
        i, j = offsets[g], offsets[g + 1]
        steps(x[i:j], y[i:j], w[i:j], 0.2 / (j - i), gradient[i:j], hessian[i:j])
PYTHON
}
write plain ''
write fast 'fastmath={"reassoc", "contract", "nsz"}, '
write inlined 'fastmath={"reassoc", "contract", "nsz"}, forceinline=True, '

cat > use.py <<'PYTHON'
import importlib
import sys

import numpy as np

name, run = sys.argv[1:]
rng = np.random.default_rng(0)
n = 57_305
x, w, y = rng.normal(size=n), rng.uniform(0, 2, n), rng.integers(0, 2, n).astype(np.float32)
offsets = np.r_[0, 20_000, 20_001, 20_005, 25_005, 42_005, 51_005, np.arange(51_012, n + 1, 7)]
gradient, hessian = np.empty(n), np.empty(n)
importlib.import_module(name).by_group(x, y, w, offsets, gradient, hessian)
np.save(f"{name}-{run}.npy", gradient)
PYTHON
for name in plain fast inlined; do
  for run in 1 2 3; do "$folder/venv/bin/python" use.py "$name" "$run"; done
done
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numba
import numpy as np

print("numba", numba.__version__, "numpy", np.__version__)
differ = {}
for name, told in (("plain", "no fastmath"), ("fast", "fastmath"), ("inlined", "fastmath, forceinline=True")):
    one, two, three = (np.load(f"{name}-{run}.npy") for run in (1, 2, 3))
    differ[name] = int((one != two).sum()), int((two != three).sum())
    print(f"{told}: of {one.size} gradients {differ[name][0]} differ between the run that compiles and the next, "
          f"{differ[name][1]} between that and a third; at most {np.abs(one - two).max():.1e}")
same = differ["plain"] == differ["inlined"] == (0, 0) and differ["fast"][0] > 0 == differ["fast"][1]
print("as described" if same else "Numba's behaviour has changed")
sys.exit(0 if same else 1)
PYTHON
