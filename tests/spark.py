"""Apache Spark for tests: one in this process, and a standalone cluster of processes on loopback."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

START_SECONDS_MOST = 120
LOOPBACK = "127.0.0.1"


def missing() -> str | None:
    """Why Spark cannot run here, or None."""
    if find_spec("pyspark") is None:
        return "PySpark is not installed (`make spark`)"
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        return "Java is not installed"
    return None


@contextmanager
def running(folder: Path) -> Iterator[None]:
    """A Spark in this process, which every engine then uses and leaves running."""
    from salur.core.rules.spark import LOCAL, Started

    started = Started(LOCAL, folder)
    try:
        yield
    finally:
        started.stop()


class Cluster:
    """A master and workers, each the leader of a process group that ends with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        log = self._started("master", "master.Master", "--port", "0")
        self.master = _waited(log, r"Starting Spark master at (\S+)")

    def worker(self) -> subprocess.Popen[bytes]:
        """Start a worker with one core."""
        name = f"worker{len(self.processes)}"
        work = str(self.folder / name)
        log = self._started(name, "worker.Worker", self.master, "-c", "1", "-m", "1g", "-d", work)
        _waited(log, r"Successfully registered with (master)")
        return self.processes[-1]

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """A process and what it started, as if its machine had lost power."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.processes.remove(process)

    def _started(self, name: str, what: str, *arguments: str) -> Path:
        import pyspark

        home = Path(pyspark.__file__).parent
        log = self.folder / f"{name}.log"
        quiet = {
            "SPARK_HOME": str(home), "SPARK_LOCAL_IP": LOOPBACK, "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_LOCAL_DIRS": str(self.folder), "JAVA_TOOL_OPTIONS": f"-Djava.io.tmpdir={self.folder}",
            "SPARK_DAEMON_JAVA_OPTS": "-Dspark.master.rest.enabled=false -Dspark.worker.timeout=20",
        }  # fmt: skip
        command = [str(home / "bin" / "spark-class"), f"org.apache.spark.deploy.{what}"]
        command += ["--host", LOOPBACK, "--webui-port", "0", *arguments]
        with log.open("wb") as output:
            self.processes.append(
                subprocess.Popen(
                    command, stdout=output, stderr=output, env=os.environ | quiet, start_new_session=True
                )
            )
        return log


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """A master; everything that was started ends with the block."""
    folder.mkdir()
    started = Cluster(folder)
    try:
        yield started
    finally:
        for process in list(started.processes):
            started.kill(process)


def _waited(log: Path, pattern: str) -> str:
    end = time.monotonic() + START_SECONDS_MOST
    while time.monotonic() < end:
        if found := re.search(pattern, log.read_text(errors="replace")):
            return found[1]
        time.sleep(0.1)
    raise RuntimeError(f"Spark did not start:\n{log.read_text(errors='replace')[-2000:]}")
