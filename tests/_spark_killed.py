"""A process of its own: a Spark cluster of two executors on this machine, one of which is killed while it trains.

python _spark_killed.py FOLDER     prints the rounds of partition 0, in all attempts
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from _spark import callback, classifier, dealt, example, local_spark


def main(folder: Path) -> None:
    path = str(folder / "rounds")

    def kills(epoch: int, context: Any) -> None:
        """End the executor, Java, of partition 1 in the first attempt: the parent of the parent of this process."""
        import os
        import signal
        from pathlib import Path

        if context.partitionId() == 0:
            with open(path, "a", encoding="utf-8") as file:
                file.write(f"{epoch} ")
        elif epoch == 4 and not os.path.exists(f"{path}-killed"):
            Path(f"{path}-killed").touch()
            java = int(Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()[1])
            assert "CoarseGrainedExecutorBackend" in Path(f"/proc/{java}/cmdline").read_text()
            os.kill(java, signal.SIGKILL)
            signal.pause()  # until Spark ends this process

    rows = example()
    settings = {"n_estimators": 7, "subsample": 0.7, "checkpoint_dir": str(folder), "checkpoint_interval": 2}
    with local_spark("local-cluster[2,1,1024]") as spark:
        frame = dealt(spark, [rows[:450], rows[450:]])
        models = [classifier(**settings).fit(frame), classifier(**settings, callbacks=[callback(kills)]).fit(frame)]
    print(Path(path).read_text())
    trees = [one.to_classifier().estimator_.get_booster().get_dump(with_stats=True) for one in models]
    assert trees[0] == trees[1]
    assert models[0].threshold_ == models[1].threshold_


if __name__ == "__main__":
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    main(Path(sys.argv[1]))
