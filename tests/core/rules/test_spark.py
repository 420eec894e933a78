"""Apache Spark gives DuckDB's lines and bytes; what goes wrong with it is a sentence, and nothing is left behind."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import date
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from tests import spark
from tests.core.rules.deciding import REFUSED, digest
from tests.core.rules.rulebooks_random import Setting, settings_drawn
from tests.core.rules.soak import PROFILE, examples
from tests.core.rules.test_engines_agree import check
from tests.core.rules.test_resume import make
from tests.needs import optional

from salur.core import rules
from salur.core.faults import InputError
from salur.core.population.commands import read_regencies
from salur.core.population.generate import Generator, generate
from salur.core.rules import engines
from salur.core.rules.spark import Spark

BOOKS = Path(rules.__file__).parents[2] / "rulebooks"
ON = date(2026, 9, 30)
FAMILIES = 50_000
MAIN = "from salur.commands import main; main()"


@pytest.fixture(scope="module", autouse=True)
def here() -> None:
    if reason := spark.missing():
        optional(reason)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Families of two provinces, 5 % of every fact unknown."""
    folder = tmp_path_factory.mktemp("people") / "population"
    generate(Generator(read_regencies("11.01,35.10"), FAMILIES, 1, catalogue(), ON, 5.0), folder)
    return folder


def catalogue() -> Any:
    return rules.read_catalogue(BOOKS / "facts.toml")


# ---- the same decisions ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("programme", ["pkh", "digital-talent", "places"])
def test_spark_gives_the_lines_of_duckdb(
    programme: str, people: Path, tmp_path: Path, spark_running: None
) -> None:
    """A family programme, a person programme, and a quota."""
    facts = catalogue()
    population = rules.open_population(people, facts)
    book = BOOKS / f"{programme}.toml"
    if programme == "places":
        book = tmp_path / "places.toml"
        book.write_text(with_places((BOOKS / "pkh.toml").read_text("utf-8")), "utf-8")
    plan = rules.plan_on(rules.read_rulebook(book, facts), ON)
    duckdb, on_spark = (
        rules.decide_population(
            plan, population, tmp_path / engine, engine=engine, checked=people.parent / "checked"
        )
        for engine in ("duckdb", "spark")
    )
    lines = [rules.decision_lines(done, population, facts) for done in (duckdb, on_spark)]
    total = differing = 0
    for wanted, given_ in zip_longest(*lines):
        total += 1
        differing += wanted != given_
    assert differing == 0
    assert total >= FAMILIES
    assert duckdb.manifest == on_spark.manifest  # with the hash of every file
    if programme == "places":
        outcomes = duckdb.manifest["totals"]["outcomes"]
        assert outcomes["eligible"]["units"] > 1_000
        assert outcomes["waiting"]["units"] > 1_000


def with_places(text: str) -> str:
    """PKH with places for some of the persons of each province."""
    return (
        text
        + """
[parameters.seats]
values = [ { from = 2022-02-08, value = 9000, basis = "besaran-pkh" } ]
label  = { id = "-", en = "-" }

[quota]
by     = "province"
places = "seats"
counts = "persons"
rank   = "welfare_score"
"""
    )


@settings(max_examples=examples(6), **PROFILE)
@given(setting=settings_drawn())
def test_random_rulebooks_agree_with_the_naive_reading(setting: Setting) -> None:
    check(setting, ("spark",))


def test_a_folder_may_have_any_name_that_is_no_pattern(tmp_path: Path, spark_running: None) -> None:
    folder = made(tmp_path / "o u't {x,y} %20 #a=1", 40)
    for kind in ("plain", "quota"):
        done = [decided(folder, kind, folder / f"{kind}-{engine}", engine) for engine in ("duckdb", "spark")]
        assert done[0].manifest == done[1].manifest


def made(folder: Path, families: int) -> Path:
    folder.mkdir(parents=True)
    return make(folder, families)


def decided(folder: Path, kind: str, out: Path, engine: str) -> Any:
    facts = rules.read_catalogue(folder / "facts.toml")
    population = rules.open_population(folder / "population", facts)
    plan = rules.plan_on(rules.read_rulebook(folder / f"{kind}.toml", facts), population.reference_date)
    return rules.decide_population(plan, population, out, engine=engine, checked=folder / "checked")


# ---- in this process -------------------------------------------------------------------------------------------


def test_a_spark_that_runs_already_is_used_and_left_running(people: Path, spark_running: None) -> None:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    context = SparkContext._active_spark_context
    with_a_table = SparkSession(context)
    with_a_table.sql("SELECT 1 AS one").createOrReplaceTempView("families")
    decided_small = made(people.parent / "left", 10)
    decided(decided_small, "plain", decided_small / "out", "spark")
    assert SparkContext._active_spark_context is context
    assert with_a_table.sql("SELECT one FROM families").collect()[0][0] == 1


def test_spark_listens_on_this_machine_only(spark_running: None) -> None:
    from pyspark import SparkContext

    own = Path(f"/proc/{SparkContext._gateway.proc.pid}")
    sockets, listening = set(), []
    for file in (own / "fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            sockets.add(str(file.readlink()))
    for table in ("tcp", "tcp6"):
        for line in (own / "net" / table).read_text().splitlines()[1:]:
            _, address, _, state, *_, inode = line.split()[:10]
            if state == "0A" and f"socket:[{inode}]" in sockets:
                listening.append(address.partition(":")[0])
    assert len(listening) >= 2
    assert set(listening) <= {"0100007F", "0000000000000000FFFF00000100007F"}  # 127.0.0.1, the second as IPv6


def test_rows_that_do_not_come_back_are_noticed(tmp_path: Path, spark_running: None) -> None:
    """As where a machine of the cluster writes into a folder that only itself can see."""
    folder = made(tmp_path / "made", 30)
    (tmp_path / "work").mkdir()
    worker = engines.engine("spark", tmp_path / "work")
    assert isinstance(worker, Spark)
    rows = next((folder / "population" / "families").glob("*.parquet"))
    with pytest.raises(InputError, match=r"rows only .* came back from Spark: every machine"):
        worker.write(
            "SELECT * FROM families", {"families": rows}, "SELECT * FROM {rows}", 31, tmp_path / "out"
        )
    worker.close()


def test_a_file_damaged_after_it_was_verified_is_refused_with_a_sentence(
    tmp_path: Path, spark_running: None
) -> None:
    folder = made(tmp_path / "made", 30)
    decided(folder, "plain", tmp_path / "first", "duckdb")
    path = folder / "population" / "persons" / "35.parquet"
    damaged, column = bytearray(path.read_bytes()), pq.read_metadata(path).row_group(0).column(1)
    begin = column.dictionary_page_offset or column.data_page_offset
    damaged[begin : begin + 20] = bytes(20)
    status = path.stat()
    path.write_bytes(bytes(damaged))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(InputError, match=r"Spark cannot go on: .*35\.parquet"):
        decided(folder, "plain", tmp_path / "second", "spark")


# ---- on the command line ---------------------------------------------------------------------------------------


def salur(
    people: Path, out: Path, *options: str, main: str = MAIN, programme: str = "pkh", **more: str
) -> list[Any]:
    """The command and its environment; Spark in a process of its own."""
    arguments = ["rules", "decide", programme, "--population", str(people), "--out", str(out)]
    arguments += ["--engine", "spark"]
    cache = {"SALUR_CACHE": str(people.parent / "cache")}
    return [[sys.executable, "-c", main, *arguments, *options], os.environ | cache | more]


def refused(people: Path, out: Path, *options: str, main: str = MAIN, **more: str) -> str:
    """What a run says that ends with exit code 3, in a sentence and nothing else."""
    arguments, environment = salur(people, out, *options, main=main, **more)
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == REFUSED, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "WARN" not in done.stderr
    return done.stderr


def java(folder: Path, version: str) -> str:
    """A folder with a program that says it is a Java of some version."""
    program = folder / "java"
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2020-01-01' >&2\n")
    program.chmod(0o755)
    return str(folder)


def test_a_missing_or_old_java_is_told(people: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    nothing = {"PATH": str(tmp_path / "bin"), "JAVA_HOME": ""}
    told = refused(people, tmp_path / "out", **nothing)
    assert (
        "needs Java 17 or newer, and there is none. Install it (on Debian: apt-get install default-jre"
        in told
    )
    told = refused(people, tmp_path / "out", SALUR_LANG="id", **nothing)
    assert "memerlukan Java 17 atau yang lebih baru" in told
    old = {"PATH": java(tmp_path / "bin", "11.0.2"), "JAVA_HOME": ""}
    assert "is version 11. Install" in refused(people, tmp_path / "out", **old)
    assert "is version 1. Install" in refused(
        people, tmp_path / "out", PATH=java(tmp_path / "bin", "1.8.0_392"), JAVA_HOME=""
    )


def test_a_missing_pyspark_is_told(people: Path, tmp_path: Path) -> None:
    without = f"import sys; sys.modules['pyspark'] = None; {MAIN}"
    assert "needs PySpark: pip install 'salur[spark]'" in refused(people, tmp_path / "out", main=without)


@pytest.mark.parametrize("master", ["somewhere", "spark://host", "spark://:7077", "http://127.0.0.1:7077"])
def test_what_is_no_master_is_told(master: str, people: Path, tmp_path: Path) -> None:
    assert f"{master} is no Spark master" in refused(people, tmp_path / "out", "--master", master)


def test_a_master_is_for_spark_alone(people: Path, tmp_path: Path) -> None:
    arguments, environment = salur(people, tmp_path / "out", "--engine", "duckdb", "--master", "local")
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "only --engine spark has a master" in done.stderr


def test_a_master_that_is_not_there_is_told(people: Path, tmp_path: Path) -> None:
    told = refused(people, tmp_path / "out", "--master", "spark://127.0.0.1:1")
    assert "No Spark master answers at spark://127.0.0.1:1: Connection refused" in told


def test_stopped_or_killed_it_leaves_nothing_and_goes_on(people: Path, tmp_path: Path) -> None:
    """Ctrl-C; then its Java process dies; then it is killed itself; then it may end."""
    out = tmp_path / "out"
    for how in ("Ctrl-C", "Java", "kill"):
        arguments, environment = salur(people, out)
        with subprocess.Popen(
            arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            child = at_work(process, out)
            if how == "Java":
                os.kill(child, signal.SIGKILL)
            else:
                process.send_signal(signal.SIGINT if how == "Ctrl-C" else signal.SIGKILL)
            _, told = process.communicate(timeout=300)
        assert "Traceback" not in told
        if how == "Ctrl-C":
            assert process.returncode == 1
            assert "Stopped. Run the same command again to go on." in told
            assert not (out / "work" / "spark").exists()
        elif how == "Java":
            assert process.returncode == REFUSED
            assert "Spark cannot go on: its Java process ended" in told
            assert [path.name for path in (out / "work" / "spark").iterdir()] == ["log"]
        waited(lambda child=child: not Path(f"/proc/{child}").exists())
    arguments, environment = salur(people, out)
    assert subprocess.run(arguments, env=environment, capture_output=True, check=False).returncode == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "decisions", "facts.toml", "manifest.json", "population.path", "rulebook.toml",
    ]  # fmt: skip
    arguments, environment = salur(people, tmp_path / "duckdb", "--engine", "duckdb")
    assert subprocess.run(arguments, env=environment, capture_output=True, check=False).returncode == 0
    assert digest(out) == digest(tmp_path / "duckdb")


def at_work(process: subprocess.Popen[str], out: Path) -> int:
    """Wait until Spark writes rows; the id of its Java process."""
    found: list[str] = []
    own = Path(f"/proc/{process.pid}/task/{process.pid}/children")

    def writes() -> bool:
        found[:] = own.read_text().split()
        return bool(found) and (out / "work" / "spark" / "rows").exists()

    waited(writes)
    return int(found[0])


def waited(until: Any) -> None:
    end = time.monotonic() + 300
    while not until():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_full_disk_is_told_and_the_run_goes_on_when_there_is_room(people: Path, tmp_path: Path) -> None:
    arguments, environment = salur(people, tmp_path / "out", programme="digital-talent")

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_200_000, 1_200_000))

    full = subprocess.run(
        arguments,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=small,
    )
    assert full.returncode == REFUSED, full.stdout + full.stderr
    assert "The disk is full. What is finished is kept" in full.stderr
    assert subprocess.run(arguments, env=environment, capture_output=True, check=False).returncode == 0
    arguments, _ = salur(people, tmp_path / "duckdb", "--engine", "duckdb", programme="digital-talent")
    assert subprocess.run(arguments, env=environment, capture_output=True, check=False).returncode == 0
    assert digest(tmp_path / "out") == digest(tmp_path / "duckdb")


# ---- a cluster -------------------------------------------------------------------------------------------------


def test_a_cluster_without_workers_is_told_and_decides_the_same_when_it_has_one(tmp_path: Path) -> None:
    folder = made(tmp_path / "made", 60)
    with spark.cluster(tmp_path / "cluster") as cluster:
        arguments = ["rules", "decide", str(folder / "quota.toml"), "--facts", str(folder / "facts.toml")]
        arguments += ["--population", str(folder / "population")]
        soon = "from salur.core.rules import spark; spark.ALONE_SECONDS_MOST = 3; "

        def run(name: str, *options: str, main: str = MAIN) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-c", main, *arguments, "--out", str(tmp_path / name), *options]
            environment = os.environ | {"SALUR_CACHE": str(tmp_path / "cache")}
            return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

        on_cluster = ["--engine", "spark", "--master", cluster.master]
        alone = run("out", *on_cluster, main=soon + MAIN)
        assert alone.returncode == REFUSED, alone.stdout + alone.stderr
        assert f"cluster {cluster.master} has had no worker for us for 3 seconds" in alone.stderr
        assert "Traceback" not in alone.stderr
        cluster.worker()
        done = run("out", *on_cluster)
        assert done.returncode == 0, done.stderr
    assert run("duckdb").returncode == 0
    assert digest(tmp_path / "out") == digest(tmp_path / "duckdb")
