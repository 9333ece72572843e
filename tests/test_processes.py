"""Two models in two threads, a fork after training, spawned workers: right results or a clear refusal."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from scratchnet.kernels import kernel_cache

import scratchnet as sn
from scratchnet.errors import BackendError

layers = sn.layers
RNG = np.random.default_rng(0)
X, Y = RNG.random((160, 12, 12, 1)), RNG.integers(0, 10, 160)


def train(seed):
    """Weights after two epochs of a small CNN, as bytes."""
    model = sn.Sequential([
        layers.Conv2D(8, 3, activation="relu"), layers.BatchNormalization(), layers.MaxPooling2D(), layers.Flatten(),
        layers.Dropout(0.3, seed=seed), layers.Dense(64, activation="relu"), layers.Dense(10, activation="softmax"),
    ])  # fmt: skip
    model.build((12, 12, 1), np.random.default_rng(seed))
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X, Y, epochs=2, verbose=0, shuffle=False)
    return b"".join(weight.tobytes() for weight in model.get_weights())


def job(backend, seed, queue):
    """Train in a separate process; an error is passed back unchanged."""
    try:
        if backend:
            sn.set_backend(backend)
        queue.put((seed, train(seed)))
    except BackendError as error:
        queue.put((seed, error))


def in_processes(method, backend=None):
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    processes = [context.Process(target=job, args=(backend, seed, queue)) for seed in (1, 2)]
    for process in processes:
        process.start()
    results = dict(queue.get(timeout=120) for _ in processes)
    for process in processes:
        process.join(timeout=30)
    assert [process.exitcode for process in processes] == [0, 0]
    return results


def test_two_models_in_two_threads(backend):
    expected = {seed: train(seed) for seed in (1, 2)}
    for _ in range(3):
        with ThreadPoolExecutor(2) as pool:
            assert dict(zip(expected, pool.map(train, expected), strict=True)) == expected


def small():
    """A compiled model of Dense layers."""
    model = sn.Sequential([
        layers.Dense(64, activation="relu", input_shape=(6,)), layers.Dense(64, activation="relu"), layers.Dense(3),
    ])  # fmt: skip
    model.compile("adam", sn.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def test_two_threads_predict_with_one_model(backend):
    """They wrote into each other's buffers."""
    model = small()
    inputs = [np.random.default_rng(n).standard_normal((n, 6)) for n in (50, 51)]
    expected = [model.predict(x) for x in inputs]

    def work(which):
        return all(np.array_equal(model.predict(inputs[which]), expected[which]) for _ in range(100))

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(work, range(2))) == [True, True]


def test_a_thread_predicts_while_another_trains(backend):
    """The training has the bits of one by itself, and the other thread does not wait for its end."""
    x, y = np.random.default_rng(0).standard_normal((4000, 6)), np.arange(4000) % 3

    def losses(model):
        return model.fit(x, y, epochs=3, batch_size=8, verbose=0).history["loss"]

    def predict(model):
        while not trained.is_set():
            model.predict(x[:10])
            answers.append(trained.is_set())

    sn.utils.set_random_seed(0)
    alone = losses(small())
    sn.utils.set_random_seed(0)
    model, trained, answers = small(), threading.Event(), []
    thread = threading.Thread(target=predict, args=(model,))
    thread.start()
    together = losses(model)
    trained.set()
    thread.join()
    assert together == alone
    assert answers.count(False) > 3


def test_spawned_workers(backend):
    assert in_processes("spawn", backend) == {seed: train(seed) for seed in (1, 2)}


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
def test_a_fork_after_training(backend):
    with sn.use_backend("numpy"):
        expected = {seed: train(seed) for seed in (1, 2)}
    train(1)
    results = in_processes("fork")
    if backend == "numpy":
        # What has run on numba in this process before is what a fork leaves behind, not what is in use.
        assert results == expected
    else:
        for error in results.values():
            assert isinstance(error, BackendError)
            assert "forked from one that had used the numba backend" in str(error)
            assert "'spawn'" in str(error)
    assert in_processes("fork", "numpy") == expected
    assert len(train(1)) == len(expected[1])  # and here it goes on


def test_the_environment_says_what_auto_is(monkeypatch):
    for named in ("numpy", "numba"):
        monkeypatch.setenv("SCRATCHNET_BACKEND", named)
        with sn.use_backend("auto"):
            assert sn.get_backend() == named
    monkeypatch.setenv("SCRATCHNET_BACKEND", "abacus")
    with pytest.raises(sn.errors.BackendError, match="unknown backend 'abacus'"):
        sn.set_backend("auto")


def test_threads_take_turns_at_naming_the_folder_of_compiled_kernels(tmp_path: Path) -> None:
    """One that put the name back while another compiled left a second cache in the working directory."""
    with sn.use_backend("numba"):
        import numba

        before, seen = numba.config.CACHE_DIR, []

        def work(folder: Path) -> None:
            for _ in range(50):
                with kernel_cache.caching_in(folder):
                    time.sleep(0.0002)
                    seen.append(str(folder) == numba.config.CACHE_DIR)

        threads = [threading.Thread(target=work, args=(tmp_path / name,)) for name in ("one", "other")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(seen) == 100
        assert all(seen)
        assert before == numba.config.CACHE_DIR


ADDS = """
import sys, time
from pathlib import Path

import numpy as np

import scratchnet as sn
from scratchnet.kernels import kernel_cache

dtype, together = sys.argv[1], Path(sys.argv[2])
sn.set_backend("numba")
with kernel_cache.caching_in(None):
    from numba.core.caching import IndexDataCacheFile as Files
save, load_index, save_index, save_data = Files.save, Files._load_index, Files._save_index, Files._save_data
saving, meeting = [], together.name != "alone"

def save_together(self, key, data):
    saving.append(self)
    save(self, key, data)
    saving.pop()

def load_together(self):
    found = load_index(self)
    if saving and meeting:  # both processes have read the index before either writes it
        (together / f"{self._index_name}.{dtype}").touch()
        until = time.monotonic() + 60
        while len(list(together.glob(f"{self._index_name}.*"))) < 2 and time.monotonic() < until:
            time.sleep(0.005)
    return found

def save_later(self, overloads):  # the index that stays is that of float32 ...
    time.sleep(0.5 if meeting and dtype == "float32" else 0)
    save_index(self, overloads)

def save_latest(self, name, data):  # ... and the code that of float64, if both go into one file
    time.sleep(1 if meeting and dtype == "float64" else 0)
    save_data(self, name, data)

Files.save, Files._load_index = save_together, load_together
Files._save_index, Files._save_data = save_later, save_latest
for kind in (dtype,) if meeting else ("float32", "float64"):
    x, y = np.linspace(0, 1, 1000, dtype=kind), np.empty(1000, kind)
    sn.backend.ops.add(x, x, y)
    assert (y == x + x).all(), (kind, y[:5])
"""


def test_processes_that_compile_a_kernel_for_two_types_at_once(tmp_path: Path) -> None:
    """Numba alone gives both the same file: the next process then has the code for float64 add float32."""
    together, environment = tmp_path / "together", {**os.environ, "SCRATCHNET_CACHE": str(tmp_path / "cache")}
    together.mkdir()

    def start(dtype: str, folder: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", ADDS, dtype, str(folder)]
        return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)

    for process in [start("float32", together), start("float64", together)]:
        assert (process.communicate()[1], process.returncode) == ("", 0)
    assert len(list(together.iterdir())) >= 4  # they did meet
    alone = start("", tmp_path / "alone")
    assert (alone.communicate()[1], alone.returncode) == ("", 0)


def test_kernels_use_no_memory_that_was_freed() -> None:
    """Under Python's debugging allocator freed memory is overwritten: addresses in it lead nowhere."""
    tests = [str(Path(__file__).with_name("test_kernels.py")), "-k", "float32 and (pool or conv2d or dense_forward)"]
    command = [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, env={**os.environ, "PYTHONMALLOC": "debug"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
