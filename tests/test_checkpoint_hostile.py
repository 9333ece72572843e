"""Model files that are damaged, foreign or made to do harm: one line, little time, little memory, nothing run."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import hostile
import pytest
from checkpoints import X, Y, layers, refused, tiny
from crafted import CRAFTED, EIGHT, A, architecture, forge

import scratchnet as sn
from scratchnet import checkpoint
from scratchnet.errors import CheckpointError

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _numpy_backend():
    with sn.use_backend("numpy"):
        yield


@pytest.fixture(scope="module")
def victim():
    """A model that hostile files are loaded into."""
    with sn.use_backend("numpy"):
        model = tiny()
        model.fit(X, Y, epochs=1, verbose=0)
        return model


@pytest.mark.parametrize("what", CRAFTED)
def test_crafted_files_are_refused_in_one_line_in_little_memory(tmp_path, what, victim):
    path = tmp_path / "model.safetensors"
    path.write_bytes(CRAFTED[what])
    before = victim.get_weights()
    readers = [
        sn.load_model, lambda p: sn.load_model(p, compile=False), victim.load_weights,
        lambda p: checkpoint.resume(p, victim),
    ]  # fmt: skip
    tracemalloc.start()
    try:
        for reader in readers:
            began = time.perf_counter()
            message = refused(reader, path)
            assert message.startswith(str(path))
            assert len(message) < 1000
            assert time.perf_counter() - began < 5
        assert tracemalloc.get_traced_memory()[1] < 4 * len(CRAFTED[what]) + hostile.SLACK
    finally:
        tracemalloc.stop()
    assert all((a == b).all() for a, b in zip(before, victim.get_weights(), strict=True))


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("a newer format", "written by a newer scratchnet .file format 2, this one reads up to 1.: upgrade"),
        ("pickle", "this is a pickle, which could run anything: it is never opened"),
        ("zip", "this is a zip file; load_model and load_weights read Keras's"),
        ("nothing", "its 0 bytes cannot be one or are cut short"),
        ("network of 2^40 units", r"a parameter of shape \(3, 1099511627776\) is larger than what there is for it"),
        ("overlap", "array b: its place in the file does not fit its shape"),
        ("bytes left over", "its arrays take 8 bytes, the file has 12 for them"),
        ("a name twice", "a name is there twice"),
        ("os.system", "unknown class 'os.system'"),
    ],
)
def test_a_refusal_says_what_is_wrong(tmp_path, what, message):
    path = tmp_path / "model.safetensors"
    path.write_bytes(CRAFTED[what])
    refused(sn.load_model, path, match=message)


def test_many_layers_take_no_time_that_grows_with_their_square(tmp_path):
    inner = [{"class_name": "ReLU", "config": {"name": f"layer-{i}", "dtype": "float32"}} for i in range(20_000)]
    (tmp_path / "m.safetensors").write_bytes(forge(architecture(*inner), A, EIGHT))
    began = time.perf_counter()
    refused(sn.load_model, tmp_path / "m.safetensors", match="has a weight 'a', the model has none of that name")
    assert time.perf_counter() - began < 5


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for path, message in (
        (tmp_path, "this is a folder"),
        (tmp_path / "none", "no such file"),
        (tmp_path / "pipe", "this is a pipe"),
        (tmp_path / "loop", "cannot be read"),
        ("nul\0byte", "expected the path of a file"),
        (3.5, "expected the path of a file"),
    ):
        refused(sn.load_model, path, match=message)
    model = tiny()
    (tmp_path / "folder.safetensors").mkdir()
    for path, message in (
        (tmp_path / "folder.safetensors", "directory"),
        (tmp_path / "none" / "x.safetensors", "No such file"),
        ("nul\0byte.safetensors", "null"),
    ):
        refused(model.save, path, match=message)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The bytes of a model, of weights and of a training checkpoint."""
    folder = tmp_path_factory.mktemp("saved")
    with sn.use_backend("numpy"):
        sn.utils.set_random_seed(0)
        model = tiny()
        model.fit(X, Y, epochs=1, verbose=0, callbacks=[sn.callbacks.TrainingCheckpoint(folder)])
        model.save(folder / "model.safetensors")
        model.save_weights(folder / "weights.safetensors")
    return [
        (folder / name).read_bytes() for name in ("model.safetensors", "weights.safetensors", checkpoint.NAMES[0])
    ], model


def reader_of(model):
    """A function that reads a file every way there is and returns None, or raises one line."""

    def read(path):
        problems = []
        for reader in (sn.load_model, model.load_weights, lambda path: checkpoint.resume(path, model)):
            try:
                reader(path)
            except CheckpointError as error:
                problems.append(str(error))
        assert all("\n" not in problem and problem.startswith(str(path)) for problem in problems)
        return None if len(problems) == 3 else problems

    return read


def accepted_wrongly(path, originals, model, count, seed):
    """How many mutated files are read though they are none of the originals. Checks time and memory as well."""
    read, wrong = reader_of(model), 0
    for content in hostile.mutants(originals, count, seed):
        result = hostile.survive(path, content, read)
        wrong += result is not None and content not in originals
    return wrong


def test_no_mutated_file_is_accepted(tmp_path, saved):
    originals, model = saved
    tracemalloc.start()
    try:
        for content in originals:
            (tmp_path / "m.safetensors").write_bytes(content)
            assert reader_of(model)(tmp_path / "m.safetensors") is not None
        assert accepted_wrongly(tmp_path / "m.safetensors", originals, model, 600, 1) == 0
    finally:
        tracemalloc.stop()


def test_every_single_byte_counts(tmp_path):
    model = sn.Sequential([layers.Dense(1, input_shape=(1,))])
    model.save_weights(tmp_path / "m.safetensors")
    content = (tmp_path / "m.safetensors").read_bytes()
    for at, flip in itertools.product(range(len(content)), (0x01, 0x20, 0x80)):
        (tmp_path / "m.safetensors").write_bytes(content[:at] + bytes([content[at] ^ flip]) + content[at + 1 :])
        refused(model.load_weights, tmp_path / "m.safetensors")
    for end in range(len(content)):
        (tmp_path / "m.safetensors").write_bytes(content[:end])
        refused(model.load_weights, tmp_path / "m.safetensors")


AUDIT = """
import sys
sys.path.insert(0, sys.argv[1])
import test_checkpoint_hostile as t
import pathlib, shutil
sn, folder = t.sn, pathlib.Path(sys.argv[2])
sn.set_backend("numpy")
model = t.tiny()
model.fit(t.X, t.Y, epochs=1, verbose=0, callbacks=[sn.callbacks.TrainingCheckpoint(folder / "c")])
model.save(folder / "honest.safetensors")
shutil.copy(folder / "c" / t.checkpoint.NAMES[0], folder / "training.safetensors")
names = []
for i, content in enumerate(t.CRAFTED.values()):
    (folder / f"{i}").write_bytes(content)
    names.append(folder / f"{i}")
(folder / "link").symlink_to("/etc/passwd")
names += [folder / "link", folder / ".." / "honest.safetensors", "/etc/passwd", "../../etc/passwd"]
names += [folder / "honest.safetensors", folder / "training.safetensors"]
read = t.reader_of(model)
for name in ("honest", "training", "0"):  # whatever is imported on first use
    read(folder / name)
forbidden = ("exec", "compile", "import", "subprocess.", "os.system", "os.exec", "os.spawn", "os.posix_spawn",
             "os.fork", "socket.", "ctypes.", "pickle.", "marshal.", "code.", "os.remove", "os.rename", "os.mkdir",
             "os.chmod")
events, watching = [], True
def hook(event, arguments):
    if not watching:
        return
    if event.startswith(forbidden):
        events.append((event, repr(arguments)[:80]))
    if event == "open":
        path, mode, flags = arguments
        import_os = sys.modules["os"]
        if flags & (import_os.O_WRONLY | import_os.O_RDWR | import_os.O_CREAT) or str(path) not in allowed:
            events.append((event, repr(arguments)[:80]))
sys.addaudithook(hook)
allowed = {str(name) for name in names}
for name in names:
    read(name)
watching = False
print(len(names), events)
"""


def test_loading_runs_nothing_and_opens_nothing_else(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", AUDIT, str(HERE), str(tmp_path)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    count, events = done.stdout.strip().split(" ", 1)
    assert int(count) == len(CRAFTED) + 6
    assert events == "[]"
