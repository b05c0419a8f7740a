"""Draw the figures of docs/plots.md by running its code blocks: ``python docs/figures_plots.py``.

The figure after a block is ``display.figure_`` at the end of that block, so code and figures cannot differ. Data and
seeds are those in the blocks; one thread.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

DOCS = Path(__file__).resolve().parent
BLOCK_OR_IMAGE = re.compile(r"^```python\n(.*?)^```$|^!\[[^\]]*\]\((img/plots/[^)]+)\)$", re.MULTILINE | re.DOTALL)


def main(page: Path = DOCS / "plots.md") -> list[Path]:
    """Run the page's blocks in order, save its figures, and return their paths."""
    sys.path.insert(0, str(DOCS.parent))  # for datasets, which is not part of the wheel
    namespace: dict[str, Any] = {"__name__": "__main__"}
    written = []
    for found in BLOCK_OR_IMAGE.finditer(page.read_text(encoding="utf-8")):
        code, image = found.groups()
        if code is not None:
            exec(compile(code, page.name, "exec"), namespace)
            continue
        path = DOCS / image
        path.parent.mkdir(parents=True, exist_ok=True)
        namespace["display"].figure_.savefig(path, dpi=120, metadata={"Software": None})
        written.append(path)
    plt.close("all")
    return written


if __name__ == "__main__":
    for path in main():
        print(path.relative_to(DOCS.parent))
