"""The command line as a user meets it: quick, lazy, and with a sentence for every error."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

SALUR = Path(sys.executable).with_name("salur")


def salur(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SALUR), *arguments], env=os.environ | environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["rules", "--help"], ["population", "--help"]]
)
def test_commands_without_a_database_do_not_import_django(arguments: list[str]) -> None:
    code = (
        "import sys; from salur.commands import app\n"
        "try: app(sys.argv[1:], prog_name='salur')\n"
        "except SystemExit: pass\n"
        "assert 'django' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_help_imports_no_engine() -> None:
    code = (
        "import sys; from salur.commands import app\n"
        "try: app(['--help'], prog_name='salur')\n"
        "except SystemExit: pass\n"
        "print([m for m in ('duckdb', 'pyarrow', 'numpy', 'django', 'sqlite3') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_names_every_part_and_the_version_is_told() -> None:
    out = salur("--help").stdout
    for part in ("demo", "rules", "population", "regions", "migrate", "doctor"):
        assert part in out
    assert salur("--version").stdout.startswith("salur 0.")


@pytest.mark.parametrize(
    "arguments", [["nothing"], ["--nothing"], ["regions", "show"], ["regions", "show", "1"]]
)
def test_bad_usage_ends_with_2(arguments: list[str]) -> None:
    done = salur(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_likely_name_is_suggested() -> None:
    assert "Did you mean 'regions'" in salur("region").stderr


def test_a_database_without_tables_says_what_to_do(tmp_path: Path) -> None:
    done = salur("regions", "list", SALUR_HOME=str(tmp_path))
    assert done.returncode == 1
    assert "Run `salur migrate`." in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_cannot_be_reached_is_a_sentence() -> None:
    url = "postgresql://nobody@127.0.0.1:1/none"
    done = salur("regions", "list", SALUR_DATABASE_URL=url)
    assert done.returncode == 1
    assert "The database cannot be used" in done.stderr
    assert "Traceback" not in done.stderr
    done = salur("regions", "list", SALUR_DATABASE_URL="mysql://x/y")
    assert done.returncode == 3
    assert "must begin with sqlite:/// or postgresql://" in done.stderr


def fails_with(statement: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `salur` with a command that does not do well."""
    code = (
        "import sys, typer, errno, salur.commands as c\n"
        "from salur.commands import parts, root\n"
        f"def bad(): {statement}\n"
        "sys.modules['bad'] = type(sys)('bad'); sys.modules['bad'].bad = bad\n"
        "parts.PARTS['bad'] = parts.Part('bad:bad', 'x')\n"
        "c.main()"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *arguments, "bad"],
        env=os.environ | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "statement",
    [
        f"raise OSError({errno.ENOSPC}, 'No space left on device', 'out.parquet')",
        "raise RuntimeError('IO Error: Could not write file: No space left on device')",
        "raise RuntimeError('database or disk is full')",
    ],
)
def test_a_full_disk_is_said_so(statement: str) -> None:
    done = fails_with(statement)
    assert done.returncode == 3
    assert done.stderr.startswith("The disk is full")
    assert "Traceback" not in done.stderr


def test_writing_to_a_full_device_is_said_so(tmp_path: Path) -> None:
    """A real one: /dev/full answers every write with ENOSPC."""
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    done = fails_with("open('/dev/full', 'w', buffering=1).write('x' * 99999)")
    assert done.returncode == 3
    assert done.stderr.startswith("The disk is full")


def test_an_unexpected_error_is_a_sentence_and_details_come_on_demand() -> None:
    done = fails_with("raise RuntimeError('three legs')")
    assert done.returncode == 1
    assert "RuntimeError: three legs" in done.stderr
    assert "--debug" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Traceback" in fails_with("raise RuntimeError('three legs')", "--debug").stderr
    assert "Traceback" in fails_with("raise RuntimeError('three legs')", SALUR_DEBUG="1").stderr


def test_no_error_shows_a_number_of_a_person() -> None:
    nik = "3510" + "0115" + "0390" + "9001"
    spelled = "'3510' + '0115' + '0390' + '9001'"
    for statement in (
        f"raise ValueError({spelled})",
        f"from salur.core.faults import InputError; raise InputError.of('bad {{n}}', n={spelled})",
    ):
        for arguments in ([], ["--debug"]):
            done = fails_with(statement, *arguments)
            assert "[masked]" in done.stderr
            assert nik not in done.stderr + done.stdout


def test_ctrl_c_says_how_to_go_on() -> None:
    done = fails_with("raise KeyboardInterrupt")
    assert done.returncode == 1
    assert "Run the same command again" in done.stderr


def test_a_closed_pipe_is_no_error_message() -> None:
    done = fails_with("import os; r, w = os.pipe(); os.close(r); os.write(w, b'x')")
    assert done.returncode == 1
    assert done.stderr == ""
