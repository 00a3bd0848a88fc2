"""The Spark session of a backfill: local by default, or what spark-submit or `--master` gives."""

import os
import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from shared import uris
from shared.errors import CrossfadeError

ROOT = Path(__file__).parent.parent
ARROW_ROWS = 10_000  # of a batch between Spark and Python


def start(master: str | None = None, settings: dict[str, str] | None = None) -> SparkSession:
    """A session with what the stages rely on; one that already runs is taken as it is.

    master: a Spark master URL; None = what spark-submit set, else all cores of this machine.
    settings: Spark settings that replace those made here. CrossfadeError where there is no Java.
    """
    if running := SparkSession.getActiveSession():
        return running
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    if not submitted:
        _require_java()
        if master is None:
            master = "local[*]"
    # Workers must run this interpreter and find these packages, wherever the command was started.
    os.environ["PYSPARK_PYTHON"] = sys.executable
    path = os.pathsep.join(dict.fromkeys([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]))
    os.environ["PYTHONPATH"] = path
    builder: Any = SparkSession.builder.appName("crossfade backfill")
    if master is not None:
        builder = builder.master(master)
    options = {
        "spark.executorEnv.PYTHONPATH": path,
        # The consumer's answers and those of every worker are one only if they read the same URIs.
        f"spark.executorEnv.{uris.VARIABLE}": ",".join(sorted(uris.enabled_schemes())),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.execution.arrow.maxRecordsPerBatch": str(ARROW_ROWS),
        # Partitions are numbered by us (files are aligned by them), so nothing may merge or split them.
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.files.maxPartitionBytes": str(32 * 2**20),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    if master is not None and master.startswith("local"):
        log_settings = ROOT / "batch" / "log4j2.properties"
        options |= {
            "spark.driver.memory": f"{_driver_gib()}g",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={log_settings}",
        }
    for key, value in (options | (settings or {})).items():
        builder = builder.config(key, value)
    interrupt = signal.getsignal(signal.SIGINT)
    session: SparkSession = builder.getOrCreate()
    if threading.current_thread() is threading.main_thread():
        # pyspark's own handler talks to Java in the middle of whatever is being said to it, and garbles both.
        signal.signal(signal.SIGINT, interrupt)
    session.sparkContext.setLogLevel("ERROR")
    return session


def running_tasks(session: SparkSession) -> tuple[int, int]:
    """(finished, all) tasks of what Spark is at now; (0, 0) between two things. For any thread."""
    tracker = session.sparkContext.statusTracker()
    stages = [info for stage in tracker.getActiveStageIds() if (info := tracker.getStageInfo(stage))]
    return sum(info.numCompletedTasks for info in stages), sum(info.numTasks for info in stages)


def _require_java() -> None:
    home = os.environ.get("JAVA_HOME")
    if not (shutil.which("java") or (home and (Path(home) / "bin" / "java").is_file())):
        raise CrossfadeError(
            "Spark needs Java, and there is no java on the PATH nor in JAVA_HOME; install a JDK or JRE 17 "
            "(`crossfade doctor` shows what else is missing)."
        )


def _driver_gib() -> int:
    """A quarter of this machine's memory, from 1 to 8 GiB: the Python workers need the rest."""
    total: int = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(8, max(1, total // 2**30 // 4))
