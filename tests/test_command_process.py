"""The command in surroundings that are not as they should be: streams, environment, names, two of it at once."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
from importlib.metadata import entry_points

import pytest
from test_cli import COMMAND, ENVIRONMENT, SMALL, begun, refusal, train

import scratchnet as sn
from scratchnet import recipes, run
from scratchnet.cli import main
from scratchnet.errors import ConfigError
from scratchnet.run_folder import FolderError, RunFolder

SHORT = ["--epochs", "1", "--backend", "numpy", "-q"]


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path


def in_python(code, *flags, **environment):
    return subprocess.run(
        [sys.executable, *flags, "-c", code], capture_output=True, text=True, timeout=120,
        env={**ENVIRONMENT, **environment},
    )  # fmt: skip


@pytest.mark.parametrize("chosen", ["module://matplotlib_inline.backend_inline", "nonsense"])
def test_a_notebooks_backend_and_a_home_that_cannot_be_written_are_no_matter(small, tmp_path, chosen):
    home = {"HOME": "/proc/nowhere", "MPLCONFIGDIR": "", "XDG_CONFIG_HOME": "", "XDG_CACHE_HOME": ""}
    done = train(small, *SHORT, "--out", "x", cwd=tmp_path, MPLBACKEND=chosen, **home)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "x" / "curves.png").exists()


def test_a_time_that_is_no_number_is_passed_over_and_one_that_is_stays():
    code = (
        "import os; from scratchnet import process; process.prepare(); import numpy.f2py.rules;"
        "print(os.environ.get('SOURCE_DATE_EPOCH'))"
    )
    for given, kept in (("x", "None"), ("12", "12")):
        done = in_python(code, SOURCE_DATE_EPOCH=given)
        assert (done.returncode, done.stdout.strip()) == (0, kept), done.stderr


def test_who_calls_main_keeps_the_environment(monkeypatch, capsys):
    monkeypatch.setenv("MPLBACKEND", "svg")
    assert main(["show", "quickstart"]) == 0
    assert os.environ["MPLBACKEND"] == "svg"


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_matter(small, tmp_path, closed):
    command = ["bash", "-c", f'"$@" {closed}', "bash", *COMMAND, str(small), *SHORT, "--out", "x"]
    assert subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, timeout=120).returncode == 0
    assert json.loads((tmp_path / "x" / "results.json").read_text())["finished"]


FITS = """
import numpy as np, scratchnet as sn
from scratchnet.datasets import download
model = sn.Sequential([sn.layers.Input((4,)), sn.layers.Dense(1)])
model.compile("sgd", "mse")
for verbose in ("auto", 0, 1, 2):
    model.fit(np.ones((8, 4)), np.ones((8, 1)), verbose=verbose)
    model.evaluate(np.ones((8, 4)), np.ones((8, 1)), verbose=verbose)
download._Progress("https://x").show(1, 2, last=True)
"""


def test_a_program_without_streams_fits():
    """As pythonw starts it on Windows, and a shell that has closed them: sys.stdout is None."""
    command = ["bash", "-c", '"$@" >&- 2>&-', "bash", sys.executable, "-c", FITS]
    environment = {**ENVIRONMENT, "SCRATCHNET_BACKEND": "numpy"}
    assert subprocess.run(command, env=environment, timeout=120).returncode == 0


@pytest.mark.parametrize("words", [["list"], ["--dry-run", "--backend", "numpy"]])
def test_an_output_that_takes_nothing_is_named(tmp_path, words):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, *words], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
        )
    assert done.returncode == 1
    assert done.stderr == "scratchnet-train: standard output: cannot be written: No space left on device\n"


@pytest.mark.parametrize("how", [["-q"], [], ["--json"]])
def test_a_folder_whose_name_is_not_utf_8(small, tmp_path, how):
    name = os.fsdecode(b"caf\xe9")
    done = train(small, *SHORT[:-1], *how, "--out", name, cwd=tmp_path, PYTHONIOENCODING="utf-8:strict")
    assert (done.returncode, done.stderr) == (0, "")
    assert "caf\\udce9" in done.stdout
    assert name in json.loads((tmp_path / name / "environment.json").read_text())["command"]


def test_help_needs_no_docstrings():
    for words in (["--help"], ["compare", "--help"], ["data", "export", "--help"]):
        code = f"import sys; from scratchnet.cli import main; sys.exit(main({words}))"
        with_them, without = in_python(code), in_python(code, "-OO")
        assert without.stdout == with_them.stdout
        assert with_them.stdout.count("\n\n  ") >= 1  # the text below the usage line


def test_a_missing_package_is_named():
    code = "import sys; sys.modules['typer'] = None; from scratchnet.cli import main; sys.exit(main(['list']))"
    done = in_python(code)
    assert done.returncode == 1
    assert done.stderr == "scratchnet-train: the package typer is missing: pip install typer\n"


GONE = 'mkdir gone && cd gone && rmdir ../gone && "$@"'


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["quickstart", "--steps", "2", "--backend", "numpy", "--out"], 2, "no longer exists: change to another one"),
        (["compare", "--out", "page.html", "one"], 2, "no longer exists: change to another one"),
        (["quickstart", "--backend", "numpy", "--out", "x"], 2, "output folder x: cannot be written: the working dir"),
        (["show", "quickstart"], 0, ""),
    ],
)
def test_a_working_directory_that_was_deleted_is_named(tmp_path, words, code, said):
    words = [*words, str(tmp_path / "x")] if words[-1] in ("--out", "one") else words
    done = subprocess.run(
        ["bash", "-c", GONE, "bash", *COMMAND, *words], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert done.stderr.count("\n") == bool(code)
    assert bool(done.stdout) != bool(code)  # not even an empty line
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("more", [[], ["--resume"]])
def test_a_name_that_is_too_long_is_said_of_the_output_folder(tmp_path, more):
    said = refusal("--backend", "numpy", "--out", "x" * 300, *more, cwd=tmp_path)
    assert said == f"scratchnet-train: output folder {'x' * 300}: cannot be written: File name too long\n"


@pytest.mark.parametrize(
    "words", [["compare", "{}", "y"], ["predict", "{}", "y"], ["--data-dir", "{}"], ["data", "verify", "{}"]]
)
def test_a_name_that_is_too_long_is_said_of_every_other_path(tmp_path, words):
    said = refusal(*(word.format("x" * 300) for word in words), cwd=tmp_path)
    assert said == f"scratchnet-train: {'x' * 300}: expected the name of a file or folder, this one is too long\n"


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_cache_in_the_home_of_nobody_is_refused_with_the_variables_name(tmp_path, data_dir, backend):
    said = refusal(
        "mnist-mlp", "--steps", 1, "--backend", backend, "--dry-run", cwd=tmp_path, SCRATCHNET_CACHE="~nosuch/x",
        SCRATCHNET_DATA="",
    )  # fmt: skip
    assert said == "scratchnet-train: SCRATCHNET_CACHE: expected a folder, got '~nosuch/x': there is no ~nosuch\n"


# Two at once ----------------------------------------------------------------------------------------------------------


def test_a_second_training_does_not_take_the_folder_away(small, tmp_path):
    small.write_text(SMALL.replace("epochs = 40", "epochs = 5000"))
    process = begun(small, tmp_path / "x")
    try:
        said = refusal(small, "--backend", "numpy", "--out", "x", "--resume", cwd=tmp_path)
        assert "output folder x: another training writes into it" in said
        rows = [json.loads(process.stdout.readline()) for _ in range(3)]  # the first one goes on
        assert [row["event"] for row in rows] == ["epoch"] * 3
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=20)
    # A killed process holds no lock: the run can be resumed at once.
    again = begun(small, tmp_path / "x")
    again.send_signal(signal.SIGTERM)
    assert again.communicate(timeout=20)[1].count("another training") == 0
    assert again.returncode == 143


def test_a_folder_is_released_and_nothing_is_left_of_its_lock(tmp_path):
    first = RunFolder(tmp_path / "x")
    with pytest.raises(ConfigError, match="x: another training writes into it: wait for its end"):
        RunFolder(tmp_path / "x")
    first.release()
    RunFolder(tmp_path / "x").release()
    assert os.listdir(tmp_path / "x") == []
    first.forget()
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("error", [errno.ENOTSUP, errno.ENOLCK, errno.EBADF])
def test_a_disk_without_locks_is_used_without(tmp_path, monkeypatch, error):
    def refuse(*_):
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(fcntl, "flock", refuse)
    RunFolder(tmp_path / "x")
    RunFolder(tmp_path / "x")


def test_a_run_that_fails_releases_its_folder(small, tmp_path, monkeypatch):
    with sn.use_backend("numpy"), monkeypatch.context() as patch:
        patch.setattr(run.report_page, "page", lambda *_: (_ for _ in ()).throw(FolderError("no")))
        with pytest.raises(FolderError):
            run.train(recipes.load(small), tmp_path / "x", backend_name="numpy")
    RunFolder(tmp_path / "x", resume=True).release()


def test_checkpoints_without_a_recipe_are_said_for_the_command_line(small, tmp_path):
    assert train(small, *SHORT, "--out", "x", cwd=tmp_path).returncode == 0
    (tmp_path / "x" / "recipe.toml").unlink()
    for more in ([], ["--resume"]):
        said = refusal(small, *SHORT, "--out", "x", *more, cwd=tmp_path)
        assert "x: holds checkpoints, and no recipe.toml that says of what: delete x/checkpoints" in said
        assert "progress" not in said


SIGNALLED = """
import builtins, os, signal, sys, scratchnet_train

signal.signal({number}, signal.{handler})
imported = builtins.__import__


def arrives(name, *others, **named):
    if name == "numpy":
        os.kill(os.getpid(), {number})
    return imported(name, *others, **named)


builtins.__import__ = arrives
sys.argv = ["scratchnet-train", "show", "quickstart"]
sys.exit(scratchnet_train.main())
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_scratchnet_is_imported_ends_the_command(number, code):
    default = "default_int_handler" if number == signal.SIGINT else "SIG_DFL"
    done = in_python(SIGNALLED.format(number=int(number), handler=default))
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")
    done = in_python(SIGNALLED.format(number=int(number), handler="SIG_IGN"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "quickstart" in done.stdout


def test_handlers_are_as_before_once_the_command_runs():
    code = (
        "import signal, sys, scratchnet_train; from scratchnet import cli;"
        "cli.main = lambda: print(signal.getsignal(2) is signal.default_int_handler, signal.getsignal(15).name);"
        "signal.signal(2, signal.default_int_handler); signal.signal(15, signal.SIG_DFL); scratchnet_train.main()"
    )
    assert in_python(code).stdout == "True SIG_DFL\n"


def test_the_command_begins_where_signals_have_a_handler():
    (command,) = entry_points(group="console_scripts", name="scratchnet-train")
    assert command.value == "scratchnet_train:main"
