"""What a run takes and shares: memory, threads, processes, the cache."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import trainee
from soak_common import Context, Figure, Tally
from test_determinism import bits as digest_of_a_run

MEMORY = """
import sys, gc
sys.path[:0] = [{tests!r}]
import pathlib, trainee, scratchnet as sn
from scratchnet.datasets import load_npz
sn.set_backend({backend!r})
(x, y), test = load_npz({data!r})
sizes = []
def size():
    for line in open("/proc/self/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1])
look = sn.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: (gc.collect(), sizes.append(size())))
folder = pathlib.Path({folder!r})
trainee.make_model().fit(x[:480] / 16, y[:480], epochs={epochs}, validation_data=(test[0] / 16, test[1]), verbose=0,
    callbacks=[look, sn.callbacks.TrainingCheckpoint(folder), sn.callbacks.CSVLogger(folder / "log.csv"),
               sn.callbacks.EarlyStopping(patience=10**6, restore_best_weights=True)])
print(sizes[1], max(sizes[1:]), sizes[-1])
"""


def memory(context: Context) -> Iterator[Figure]:
    """The resident size from epoch 2 to epoch 200, with checkpoints after each."""
    data, epochs = trainee.write_data(context.folder / "digits.npz"), max(10, context.count(200))
    for backend in ("numpy", "numba"):
        folder = context.folder / backend
        folder.mkdir()
        tests = str(Path(trainee.__file__).parent)
        code = MEMORY.format(tests=tests, backend=backend, data=str(data), folder=str(folder), epochs=epochs)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=1200, check=True)
        second, most, last = map(int, done.stdout.split())
        text = f"{second / 1024:.1f} MB after epoch 2, {last / 1024:.1f} after {epochs} ({last / second - 1:+.2%}), "
        text += f"at most {most / second - 1:+.2%}"
        yield Figure(f"flat memory within 1%, {backend}", text, most <= 1.01 * second)


def bits(context: Context) -> Iterator[Figure]:
    """The same bits for any number of threads, repeatedly, and next to a busy process."""
    results = {threads: digest_of_a_run(threads) for threads in (1, 2, 3, 4)}
    digests = set(results.values())
    yield Figure("the same bits for 1, 2, 3 and 4 threads", f"{len(digests)} result", len(digests) == 1)
    repeats = {digest_of_a_run(2) for _ in range(context.count(10))} | digests
    yield Figure(f"the same bits in {context.count(10)} runs", f"{len(repeats)} result", len(repeats) == 1)
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as neighbor:
        try:
            busy = {digest_of_a_run(2)}
        finally:
            neighbor.kill()
    yield Figure("the same bits beside a busy process", f"{len(busy | repeats)} result", len(busy | repeats) == 1)


def _tests(tally: Tally, *words: str) -> None:
    with tally.trial(" ".join(words)):
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, done.stdout[-300:]


def downloads(context: Context) -> Iterator[Figure]:
    """Eight processes that open the same data set for the first time at once, again and again."""
    tally, tests = Tally(), Path(trainee.__file__).parent
    for _ in range(context.count(10)):
        _tests(tally, f"{tests / 'test_datasets.py'}::test_eight_processes_at_once_download_once")
    yield tally.figure("8 processes open a data set for the first time at once: 1 download, 8 successes")


def processes(context: Context) -> Iterator[Figure]:
    """Two models in two threads, forks, spawned workers."""
    tally, tests = Tally(), Path(trainee.__file__).parent
    for _ in range(context.count(5)):
        _tests(tally, str(tests / "test_processes.py"))
    yield tally.figure("two threads, a fork after training, spawned workers: right, or a clear refusal")
