"""The cache of simulations stays small, and processes that run at once take nothing from each other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.core.rules.soak_killed import BOOKS, SALUR, finished

from salur.core.rules.simulate import kept
from salur.core.rules.simulate.kept import prune, using


def made(cache: Path, name: str, used: int, size: int = 1_000) -> Path:
    folder = cache / name
    with using(folder):
        (folder / "file").write_bytes(b"x" * size)
    os.utime(folder / kept.LOCK, (used, used))
    return folder


def test_the_longest_unused_go_first_until_the_rest_is_small_enough(tmp_path: Path) -> None:
    names = ["attributes/a", "members/population/b", "samples/c", "simulate/d", "family-facts/population/e"]
    folders = [made(tmp_path, name, used) for used, name in zip((40, 20, 30, 10, 15), names, strict=True)]
    others = made(tmp_path, "checked/e", 1)  # it does not grow
    prune(tmp_path, most=2_500)
    assert [folder.exists() for folder in (*folders, others)] == [True, False, True, False, False, True]
    prune(tmp_path, most=2_500)
    assert folders[0].exists()
    assert folders[2].exists()
    with using(folders[2]):  # now it is the one used last
        pass
    prune(tmp_path, most=1_500)
    assert [folder.exists() for folder in folders] == [False, False, True, False, False]


def test_what_another_process_uses_stays(tmp_path: Path) -> None:
    folder = made(tmp_path, "attributes/a", 1)
    hold = (
        "import sys; from pathlib import Path; from salur.core.rules.simulate.kept import using\n"
        f"with using(Path({str(folder)!r})):\n    print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        prune(tmp_path, most=0)
        assert (folder / "file").exists()
        with using(folder):  # others may use it as well
            pass
        other.kill()  # and its hold ends with it
        other.wait()
    prune(tmp_path, most=0)
    assert not folder.exists()


def opened(file: Path) -> int:
    """How often this process has a file open."""
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum(link.readlink() == file for link in links)


def test_who_waits_for_a_folder_that_goes_gets_a_new_one(tmp_path: Path) -> None:
    folder = made(tmp_path, "simulate/a", 1)
    here: list[bool] = []

    def wait() -> None:
        with using(folder, alone=True):
            here.append((folder / kept.LOCK).exists() and not (folder / "file").exists())

    with (folder / kept.LOCK).open("ab") as stream:
        kept.fcntl.flock(stream, kept.fcntl.LOCK_EX)
        waiting = threading.Thread(target=wait)
        waiting.start()
        while waiting.is_alive() and opened(folder / kept.LOCK) < 2:
            time.sleep(0.01)
        kept.shutil.rmtree(folder)
    waiting.join(20)
    assert here == [True]


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept") / "people"
    words = [
        "population",
        "generate",
        "--families",
        "6000",
        "--regencies",
        "35.10,36,51",
        "--out",
        str(folder),
    ]
    finished([*SALUR, *words], {})
    return folder


# Has all of the cache that nobody holds deleted before each file is put in its place, and when all is done.
PRUNED = """
import sys
from pathlib import Path
from salur.core.rules.simulate import kept
kept.MOST = 0
pruned, pruning = 0, False
def step(event, arguments):
    global pruned, pruning
    if event == "os.rename" and not pruning:
        pruning = True
        kept.prune(Path(sys.argv[0]))
        pruned, pruning = pruned + 1, False
cache = sys.argv.pop(1)
sys.argv[0] = cache
sys.addaudithook(step)
from salur.commands import main
try:
    main()
finally:
    print(pruned, file=sys.stderr)
"""


@pytest.fixture
def busy() -> Iterator[None]:
    """Threads take turns a hundred times as often, so that rare orders are met."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(usual / 100)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("busy")
def test_folders_that_come_and_go_stop_nobody(tmp_path: Path) -> None:
    folder, done = tmp_path / "simulate" / "a", threading.Event()

    def use() -> None:
        for turn in range(2000):
            with using(folder):
                (folder / f"{threading.get_ident()}").write_text(str(turn))
                assert (folder / kept.LOCK).exists()

    def go() -> None:
        while not done.is_set():
            prune(tmp_path, 0)

    with ThreadPoolExecutor() as pool:
        going = [pool.submit(go) for _ in range(3)]
        try:
            for each in [pool.submit(use) for _ in range(3)]:
                each.result()
        finally:
            done.set()
        for each in going:
            each.result()


def test_what_a_decision_reads_stays_until_it_is_made_and_goes_when_there_is_no_room(
    people: Path, tmp_path: Path
) -> None:
    words = ["rules", "decide", str(BOOKS / "pkh.toml"), "--population", str(people), "--json"]
    plain = finished([*SALUR, *words, "--out", str(tmp_path / "a"), "--no-family-facts"], {})
    cache = tmp_path / "cache"
    command = [sys.executable, "-c", PRUNED, str(cache), *words, "--out", str(tmp_path / "b")]
    done = subprocess.run(
        command, env=os.environ | {"SALUR_CACHE": str(cache)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stderr.split()[-1]) > len(list((people / "families").iterdir()))
    assert json.loads(done.stdout)["id"] == json.loads(plain)["id"]
    assert list((cache / "family-facts").glob("*/*")) == []


def test_two_at_once_with_one_cache_that_is_too_small_answer_as_one_alone(
    people: Path, tmp_path: Path
) -> None:
    words = ["rules", "simulate", "--population", str(people), "--against", "pkh", "--json"]
    sweep = [*SALUR, *words, str(BOOKS / "pkh.toml"), "--sweep", "elderly_age_least=61..63"]
    wanted = finished(sweep, {"SALUR_CACHE": str(tmp_path / "alone")})
    small = "import salur.core.rules.simulate.kept as kept; kept.MOST = 0; from salur.commands import main; main()"
    command = [sys.executable, "-c", small, *sweep[len(SALUR) :]]
    own = os.environ | {"SALUR_CACHE": str(tmp_path / "shared")}
    sampled = [*command, "--sample", "3"]
    runs = [
        subprocess.Popen(each, env=own, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for each in (command, command, sampled, sampled)
    ]
    told = [run.communicate(timeout=300) for run in runs]
    assert [run.returncode for run in runs] == [0] * 4, [err for _, err in told]
    assert [out for out, _ in told[:2]] == [wanted] * 2
    assert told[2][0] == told[3][0] != wanted
