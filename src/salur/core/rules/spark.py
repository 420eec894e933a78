"""Apache Spark as an engine: the same SQL text, on every core of this machine or on a cluster.

Spark reads the Parquet files of the population and writes its rows, in no order, into the work folder of the
decisions; DuckDB puts them in order. Every machine of a cluster must see both folders under the same paths: that
all rows came is counted. A Spark that is already running in this process (a notebook) is used, and left running.
"""

from __future__ import annotations

import errno
import os
import re
import shlex
import shutil
import signal
import subprocess
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread, current_thread, main_thread
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from salur.core.faults import Fault, InputError
from salur.core.population.layout import Population
from salur.core.rules import sql
from salur.core.rules.engines import RANKS, connect, copy, source, through_files
from salur.core.rules.plan import Plan
from salur.core.rules.rows import parquet

LOCAL = "local[*]"
JAVA_LEAST = 17
ANSWER_SECONDS_MOST = 10  # until a master answers
ALONE_SECONDS_MOST = 60  # without any worker
STOP_SECONDS_MOST = 30
WORDS_MOST = 500  # of what Spark says, in a sentence of ours
TICK_SECONDS = 0.5
_MASTER = re.compile(r"local(\[.+\])?|spark://[^:/]+:\d{1,5}(,[^:/]+:\d{1,5})*|yarn|k8s://.+")
_LOOPBACK = ("127.", "localhost")
_CODED = re.compile(r"\[[A-Z][A-Z_.]+\] [^\n]*")
_UNRESPONSIVE = "All masters are unresponsive"
_FULL = ("No space left on device", "Disk quota exceeded", "File too large")

# Whatever a cluster's own defaults are: exact arithmetic, dates as they stand, no damaged file passed over.
EXACT = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.mergeSchema": "false",
    "spark.sql.files.ignoreCorruptFiles": "false",
    "spark.sql.files.ignoreMissingFiles": "false",
}
QUIET = {"spark.app.name": "salur", "spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}
ON_THIS_MACHINE = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
# With all work in one process: its memory, and pieces for a few cores, not for a cluster.
IN_ONE_PROCESS = {"spark.driver.memory": "2g", "spark.sql.shuffle.partitions": "16"}


class Spark:
    """The same SQL on Apache Spark; ordered and written by DuckDB."""

    name = "spark"

    def __init__(self, work: Path, master: str = LOCAL) -> None:
        self.scratch = work.resolve() / "spark"
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)
        running = _running()
        self.started = None if running else Started(master, self.scratch)
        self.session = self.started.session if self.started else _exact(running)
        self.connection = connect(work)
        self.failed = False

    def decide(
        self, plan: Plan, population: Population, province: str, shown: Sequence[str], target: Path
    ) -> None:
        files = {"families": population.families(province), "persons": population.persons(province)}
        text = sql.statement(plan, source(population, *files), sql.SPARK)
        units = files["persons" if plan.rulebook.unit == "person" else "families"]
        order = f"SELECT {', '.join(shown)} FROM {{rows}} ORDER BY {sql.order(plan)}"
        self.write(text, files, order, _rows(units), target, decisions=plan.places is None)

    def ranked(self, candidates: Iterable[pa.Table]) -> Iterator[pa.RecordBatch]:
        return through_files(self._rank, candidates, self.scratch)

    def _rank(self, candidates: Path, target: Path) -> None:
        text = RANKS.format(candidates="candidates")
        order = "SELECT * FROM {rows} ORDER BY area, place"
        self.write(text, {"candidates": candidates}, order, _rows(candidates), target)

    def write(
        self,
        text: str,
        files: dict[str, Path],
        order: str,
        expected: int,
        target: Path,
        *,
        decisions: bool = False,
    ) -> None:
        """The rows of a statement over some files, put in order into one file."""
        loose = self.scratch / "rows"

        def work() -> None:
            for name, path in files.items():
                rows = self.session.read.option("recursiveFileLookup", "true").parquet(_pattern(path))
                rows.createOrReplaceTempView(name)
            self.session.sql(text).write.mode("overwrite").parquet(f"file://{loose}")

        self.run(work)
        written = sorted(loose.glob("*.parquet"))
        if (count := sum(map(_rows, written))) != expected:
            raise InputError.at(
                loose,
                "Of {expected} rows only {count} came back from Spark: every machine of the cluster must see "
                "this folder under the same path, and may write in it.", expected=expected, count=count,
            )  # fmt: skip
        rows = parquet(*written)
        copy(self.connection, order.format(rows=rows), target, decisions=decisions)
        shutil.rmtree(loose)

    def run(self, work: Callable[[], None]) -> None:
        """Work in a thread, so that Ctrl-C is heard, and a cluster without workers is not waited for forever."""
        failed: list[Exception] = []

        def guarded() -> None:
            try:
                work()
            except Exception as error:  # told by the thread that waits
                failed.append(error)

        thread = Thread(target=guarded, daemon=True)
        thread.start()
        alone = 0.0
        while thread.is_alive():
            thread.join(TICK_SECONDS)
            if self.started is None or self.started.local:
                continue
            alone = 0 if self.started.workers() else alone + TICK_SECONDS
            if alone > ALONE_SECONDS_MOST:
                raise InputError.of(
                    "The Spark cluster {master} has had no worker for us for {seconds} seconds. What is finished is "
                    "kept: run the same command again when it has.",
                    master=self.started.master, seconds=ALONE_SECONDS_MOST,
                )  # fmt: skip
        if failed:
            self.failed = True
            process = self.started.gateway.proc if self.started is not None else None
            raise _told(failed[0], self.scratch, process) from failed[0]

    def close(self) -> None:
        self.connection.close()
        if self.started is not None:
            self.started.stop()
        for path in (self.scratch / "rows", self.scratch / "own"):
            shutil.rmtree(path, ignore_errors=True)
        if not self.failed:  # else the log is kept
            shutil.rmtree(self.scratch, ignore_errors=True)


class Started:
    """Spark in a Java process of ours; what it says goes into the file `log`, its files into `folder`."""

    def __init__(self, master: str, folder: Path) -> None:
        try:
            from pyspark import SparkConf, SparkContext
            from pyspark.java_gateway import launch_gateway
            from pyspark.sql import SparkSession
        except ImportError:
            raise InputError.of("The engine spark needs PySpark: pip install 'salur[spark]'.") from None
        if not _MASTER.fullmatch(master):
            raise InputError.of(
                "{master} is no Spark master; give local[*], spark://HOST:PORT, yarn or k8s://ADDRESS.",
                master=master,
            )
        _java()
        self.master, self.local = master, master.startswith("local")
        self.session: Any = None
        hosts = [host for host, _ in _hosts(master)]
        near = self.local or (hosts != [] and all(host.startswith(_LOOPBACK) for host in hosts))
        own = folder / "own"
        own.mkdir()
        settings = QUIET | {
            "spark.master": master,
            "spark.sql.warehouse.dir": f"file://{own}",
            "spark.driver.extraJavaOptions": shlex.quote(f"-Djava.io.tmpdir={own}"),
        }
        settings |= (ON_THIS_MACHINE if near else {}) | (IN_ONE_PROCESS if self.local else {})
        conf = SparkConf(loadDefaults=False).setAll(list(settings.items()))
        try:
            with (folder / "log").open("wb") as log:
                self.gateway = launch_gateway(conf, {"stdout": log, "stderr": log})
        except Exception as error:  # of many kinds
            raise _told(error, folder) from error
        try:
            self._answers()
            before = signal.getsignal(signal.SIGINT)
            self.session = _exact(SparkSession(SparkContext(conf=conf, gateway=self.gateway)))
            if current_thread() is main_thread():
                signal.signal(signal.SIGINT, before)  # PySpark puts its own in place
        except (InputError, KeyboardInterrupt):
            self.stop()
            raise
        except Exception as error:
            told = _told(error, folder, self.gateway.proc)
            self.stop()
            raise told from error

    def _answers(self) -> None:
        """Refuse a standalone master that is not there; Spark itself would try for a minute."""
        from py4j.protocol import Py4JJavaError

        net, why = self.gateway.jvm.java.net, ""
        for host, port in _hosts(self.master):
            try:
                socket = net.Socket()
                socket.connect(net.InetSocketAddress(host, port), ANSWER_SECONDS_MOST * 1000)
                socket.close()
                return
            except Py4JJavaError as error:
                why = str(
                    error.java_exception.getMessage() or error.java_exception.getClass().getSimpleName()
                )
        if why:
            raise InputError.of("No Spark master answers at {master}: {why}.", master=self.master, why=why)

    def workers(self) -> int:
        """How many executors there are."""
        try:
            return int(self.session.sparkContext._jsc.sc().getExecutorMemoryStatus().size()) - 1
        except Exception:  # it is going down: the work itself tells why
            return 1

    def stop(self) -> None:
        """End Spark and its Java process, whatever state they are in."""
        from pyspark import SparkContext
        from pyspark.sql import SparkSession

        with warnings.catch_warnings(), suppress(Exception):
            warnings.simplefilter("ignore")  # of a process that has ended already
            if context := SparkContext._active_spark_context:
                context.cancelAllJobs()
                context.stop()
        with suppress(Exception):
            self.gateway.shutdown()
        process = self.gateway.proc
        with suppress(OSError):
            process.stdin.close()  # it ends by itself when nobody holds the other end
        try:
            process.wait(STOP_SECONDS_MOST)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        SparkContext._gateway = SparkContext._jvm = SparkContext._active_spark_context = None
        SparkSession._instantiatedSession = None


def _running() -> Any:
    """The session of a Spark that somebody else started in this process; None: there is none."""
    try:
        from pyspark import SparkContext
        from pyspark.sql import SparkSession
    except ImportError:
        return None
    context = SparkContext._active_spark_context
    return None if context is None else SparkSession(context)


def _exact(session: Any) -> Any:
    """A session beside this one, with settings of its own."""
    own = session.newSession()
    for name, value in EXACT.items():
        own.conf.set(name, value)
    return own


def _java() -> None:
    """Refuse a machine without a Java that Spark runs on."""
    home = os.environ.get("JAVA_HOME")
    program = shutil.which("java", path=f"{home}/bin" if home else None)
    found = ""
    if program is not None:
        with suppress(OSError):
            found = subprocess.run(  # noqa: S603 - Java as Spark itself finds it
                [program, "-version"], capture_output=True, text=True, check=False
            ).stderr
    version = re.search(r'version "(\d+)', found)
    if version is None:
        raise InputError.of(
            "The engine spark needs Java {least} or newer, and there is none. Install it (on Debian: "
            "apt-get install default-jre-headless), or set JAVA_HOME to where it is.", least=JAVA_LEAST,
        )  # fmt: skip
    if int(version[1]) < JAVA_LEAST:
        raise InputError.of(
            "The engine spark needs Java {least} or newer; {program} is version {found}. Install it (on Debian: "
            "apt-get install default-jre-headless), or set JAVA_HOME to where it is.",
            least=JAVA_LEAST, program=program, found=version[1],
        )  # fmt: skip


def _hosts(master: str) -> list[tuple[str, int]]:
    """Host and port of each standalone master."""
    if not master.startswith("spark://"):
        return []
    pairs = (each.rpartition(":") for each in master.removeprefix("spark://").split(","))
    return [(host, int(port)) for host, _, port in pairs]


def _rows(file: Path) -> int:
    return int(pq.read_metadata(file).num_rows)


def _pattern(path: Path) -> str:
    """A path as Spark reads it: braces would choose among names."""
    return "file://" + re.sub(r"([{}\\])", r"\\\1", str(path.resolve()))


def _told(error: Exception, folder: Path, process: subprocess.Popen[bytes] | None = None) -> Exception:
    """What Spark says, as a sentence; a full disk as everywhere."""
    text = str(error)
    if any(words in text for words in _FULL):
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    lines = [line.strip().rstrip(".") for line in text.splitlines() if line.strip()]
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    coded = _CODED.findall(text)  # the last one says which file
    why: object = "; ".join([*(coded[-1:] or lines[:1]), *causes[-1:]])[:WORDS_MOST] or type(error).__name__
    log = folder / "log"
    said = log.read_text("utf-8", "replace") if log.exists() else ""
    if _UNRESPONSIVE in said:
        why = _UNRESPONSIVE
    elif process is not None:
        with suppress(subprocess.TimeoutExpired):
            process.wait(TICK_SECONDS)
            why = Fault.of("its Java process ended")
    faults = [
        Fault.of("Spark cannot go on: {why}. What is finished is kept: run the same command again.", why=why)
    ]
    return InputError([*faults, Fault.of("All that Spark said is in {log}.", log=log)] if said else faults)
