"""Going on: runs that are killed, stopped or starved end with the bits of one that was never interrupted."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import trainee
from checkpoints import X, Y, layers, refused, same, tiny
from crafted import forge
from runs import TRAINEE, finished, outcome, stopped_until_done

import scratchnet as sn
from scratchnet import checkpoint, safetensors_io
from scratchnet.errors import ScratchnetError


@pytest.fixture(autouse=True)
def _numpy_backend():
    with sn.use_backend("numpy"):
        yield


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Real digits in a .npz file."""
    return trainee.write_data(tmp_path_factory.mktemp("data") / "digits.npz")


@pytest.fixture(scope="session")
def whole(data, tmp_path_factory):
    """What runs leave that were never interrupted, by backend."""
    results = {}
    for backend in ("numpy", "numba"):
        folder = tmp_path_factory.mktemp(backend)
        assert finished(*TRAINEE, data, folder, "--backend", backend, "--every", 4) == (0, "")
        results[backend] = outcome(folder)
    assert results["numpy"] != results["numba"]
    return results


def test_saving_changes_nothing(data, tmp_path, whole):
    assert finished(*TRAINEE, data, tmp_path / "a") == (0, "")
    assert outcome(tmp_path / "a") == whole["numpy"]


def test_stops_at_every_step_go_on_to_the_same_bits(data, tmp_path, whole, backend):
    """In one process, with another model each time: nothing is left in memory to help."""
    for seed, step in enumerate([1, 2, 3, 5, 14, 15, 16, 17, 29, 30, 31, 44, 45, 46, 59, None]):
        result = trainee.train(data, tmp_path, 4, None, trainee.Watch(steps=step), seed=seed if step != 1 else 5)
        assert (result is None) == (step is not None)
    (tmp_path / "result.json").write_text(json.dumps(result))
    assert outcome(tmp_path) == whole[backend]
    # Once more: there is nothing left to do, and it ends alike.
    assert trainee.train(data, tmp_path, 4, None) == result


@pytest.mark.parametrize(
    "fault",
    ["write:1:kill-after", "write:6:kill-before", "fsync:5:kill-before", "fsync:6:kill-before", "rename:1:kill-before",
     "rename:4:kill-after", "rename:9:kill-before", "any:40:kill-before"],
)  # fmt: skip
def test_a_run_that_is_killed_while_it_saves_goes_on_to_the_same_bits(data, tmp_path, whole, fault):
    code, _ = finished(*TRAINEE, data, tmp_path, "--every", 4, "--fault", fault)
    assert code == -signal.SIGKILL
    assert finished(*TRAINEE, data, tmp_path, "--every", 4) == (0, "")
    assert outcome(tmp_path) == whole["numpy"]
    assert not [name for name in os.listdir(tmp_path) if name.startswith("checkpoint") and name.endswith(".part")]


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_run_that_is_killed_again_and_again_goes_on_to_the_same_bits(data, tmp_path, whole, backend):
    random = np.random.default_rng(int(os.environ.get("SCRATCHNET_TEST_SEED", "0")))
    command = [*TRAINEE, data, tmp_path, "--backend", backend, "--every", 4]
    assert stopped_until_done(command, random, most=3, number=signal.SIGKILL, longest=0.25) >= 1
    assert outcome(tmp_path) == whole[backend]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_step_saves_and_goes_on_to_the_same_bits(data, tmp_path, whole, number):
    random = np.random.default_rng(int(number))
    assert stopped_until_done([*TRAINEE, data, tmp_path], random, most=2, number=number, longest=0.25) >= 1
    assert outcome(tmp_path) == whole["numpy"]


def test_a_disk_that_fails_while_training_leaves_a_checkpoint_to_go_on_from(data, tmp_path, whole):
    for how, number in (("once", 7), ("once", 23), ("forever", 31), ("once", 43), ("forever", 58)):
        code, said = finished(*TRAINEE, data, tmp_path, "--every", 4, "--fault", f"any:{number}:{how}")
        assert code == 1
        assert re.fullmatch(r"trainee: .*: cannot be written: (No space left|Input/output).*\n", said), said
    assert finished(*TRAINEE, data, tmp_path, "--every", 4) == (0, "")
    assert outcome(tmp_path) == whole["numpy"]


def test_a_damaged_checkpoint_is_never_loaded_silently(data, tmp_path, whole):
    assert trainee.train(data, tmp_path / "run", 4, 4, trainee.Watch(steps=23)) is None
    newest, oldest = sorted(
        (tmp_path / "run" / name for name in checkpoint.NAMES),
        key=lambda path: -safetensors_io.read(path)[1]["progress"]["generation"],
    )
    damages = {
        "bit": lambda data: data[:3000] + bytes([data[3000] ^ 1]) + data[3001:],
        "cut": lambda data: data[:-1],
        "empty": lambda data: b"",
        "foreign": lambda data: b"\x80\x04" + data,
    }
    for what, damage in damages.items():
        folder = tmp_path / what
        shutil.copytree(tmp_path / "run", folder)
        (folder / newest.name).write_bytes(damage(newest.read_bytes()))
        code, said = finished(*TRAINEE, data, folder)
        assert code == 0
        assert re.fullmatch(rf"warning: .*{newest.name}: .*; going on from {oldest.name}: epoch 2, step 5\n", said)
        assert outcome(folder) == whole["numpy"]
    (tmp_path / "run" / newest.name).write_bytes(b"")
    (tmp_path / "run" / oldest.name).write_bytes(b"x" * 100)
    code, said = finished(*TRAINEE, data, tmp_path / "run")
    assert code == 1
    assert "to begin anew, delete what is damaged" in said
    newest.write_bytes(forge("{}", version=7))
    assert "newer scratchnet" in finished(*TRAINEE, data, tmp_path / "run")[1]


def test_checkpoints_of_older_formats(data, tmp_path):
    """The first format can be resumed; an unknown one is refused in one line, and is not changed."""
    first = Path(__file__).parent / "golden" / "format-1.safetensors"
    saved, model = sn.load_model(first), sn.load_model(first)
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    progress = checkpoint.resume(first, model)
    assert same(saved, model)
    assert (progress.epoch, model.optimizer.iterations) == (saved.progress.epoch, saved.optimizer.iterations)
    size = progress.settings["batch_size"]
    model.fit(X, Y, epochs=progress.epoch + 1, batch_size=size, progress=progress, verbose=0)
    assert model.optimizer.iterations > saved.optimizer.iterations
    for name in checkpoint.NAMES:
        (tmp_path / name).write_bytes(forge("{}", version=0))
    code, said = finished(*TRAINEE, data, tmp_path)
    assert code == 1
    assert said.count("\n") == 1
    assert "unknown file format 0, expected 1 to" in said
    assert (tmp_path / checkpoint.NAMES[0]).read_bytes() == forge("{}", version=0)


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    model = tiny()
    model.fit(X, Y, epochs=1, verbose=0, callbacks=[sn.callbacks.TrainingCheckpoint(tmp_path / "c")])

    def other(optimizer=None, loss=None, units=3, compiled=True):
        model = tiny(optimizer or "adam", name="other")
        if units != 3:
            model.pop()
            model.add(layers.Dense(units, activation="softmax"))
        if compiled:
            model.compile(model.optimizer, loss or model.loss)
        return model

    for wrong, message in (
        (other(sn.optimizers.SGD()), "optimizer.class_name was Adam, is SGD"),
        (other(sn.optimizers.Adam(beta_1=0.8)), "optimizer.config.beta_1 was 0.9, is 0.8"),
        (other(loss="sparse_categorical_crossentropy"), "loss.config.label_smoothing was 0.1, is 0.0"),
        (other(units=4), r"architecture.config.layers\[4\].config.units was 3, is 4"),
        (tiny(dtype="float64"), "architecture.*dtype was float32, is float64"),
        (sn.Sequential([layers.Dense(2, input_shape=(3,))]), "is not compiled"),
    ):
        before = wrong.get_weights()
        refused(checkpoint.resume, tmp_path / "c", wrong, match=message)
        assert all((a == b).all() for a, b in zip(before, wrong.get_weights(), strict=True))
    model.save(tmp_path / "model.safetensors")
    refused(
        checkpoint.resume,
        tmp_path / "model.safetensors",
        tiny(),
        match="holds no training checkpoint; load_model opens it",
    )
    assert checkpoint.resume(tmp_path / "nothing", tiny()) is None
    refused(lambda: model.fit(X, Y, callbacks=[sn.callbacks.TrainingCheckpoint(tmp_path / "c")]), match="another fit")
    progress = checkpoint.resume(tmp_path / "c", model)
    with pytest.raises(ScratchnetError, match="this fit began with batch_size=32, got batch_size=8"):
        model.fit(X, Y, epochs=3, batch_size=8, progress=progress, verbose=0)


def test_a_model_checkpoint_can_be_gone_on_from(tmp_path, backend):
    def train(epochs, *callbacks, model=None, progress=None):
        if model is None:
            sn.utils.set_random_seed(3)
            model = tiny()
        stopping = sn.callbacks.EarlyStopping("loss", patience=3, restore_best_weights=True)
        model.fit(X, Y, epochs=epochs, batch_size=8, verbose=0, callbacks=[*callbacks, stopping], progress=progress)
        return model

    whole = train(4)
    saving = sn.callbacks.ModelCheckpoint(tmp_path / "{epoch}-{batch}.safetensors", save_freq=3)
    train(3, saving)
    assert sorted(os.listdir(tmp_path)) == [f"{name}.safetensors" for name in ("1-3", "2-1", "2-4", "3-2", "3-5")]
    for name in os.listdir(tmp_path):
        model = tiny()
        progress = checkpoint.resume(tmp_path / name, model)
        assert progress.epoch + 1 == int(name[0])
        train(4, model=model, progress=progress)
        assert same(model, whole)
        assert model.history.history == whole.history.history
        model = sn.load_model(tmp_path / name)
        train(4, model=model, progress=model.progress)
        assert same(model, whole)


def test_there_must_be_room_for_the_next_checkpoints(tmp_path, monkeypatch):
    model, usage = tiny(), shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    message = refused(
        lambda: model.fit(X, Y, callbacks=[sn.callbacks.TrainingCheckpoint(tmp_path)]), match="the disk has 1,000 left"
    )
    assert "bytes more" in message
    assert model.optimizer.iterations == 0


def test_a_folder_that_cannot_be_written_is_said_before_training(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for folder in (tmp_path / "file" / "c", "/proc/nothing"):
        model = tiny()
        refused(
            lambda folder=folder, model=model: model.fit(X, Y, callbacks=[sn.callbacks.TrainingCheckpoint(folder)]),
            match="cannot be written",
        )
        assert model.optimizer.iterations == 0


def test_a_folder_that_is_deleted_under_a_running_job(tmp_path):
    folder = tmp_path / "c"

    def move():
        folder.rename(tmp_path / "moved")

    gone = sn.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: epoch == 1 and move())
    model = tiny()
    refused(
        lambda: model.fit(X, Y, epochs=4, verbose=0, callbacks=[gone, sn.callbacks.TrainingCheckpoint(folder)]),
        match="checkpoint-.*cannot be written: No such file or directory",
    )
    assert checkpoint.resume(tmp_path / "moved", tiny()).epoch == 1


def test_a_second_fit_after_a_resumed_one_draws_alike(tmp_path):
    def script(stop=None):
        sn.utils.set_random_seed(2)
        model = tiny()
        progress = checkpoint.resume(tmp_path / "c", model) if stop != "whole" else None
        saving = [sn.callbacks.TrainingCheckpoint(tmp_path / "c")] if stop != "whole" else []
        model.fit(X, Y, epochs=2, batch_size=8, verbose=0, callbacks=[*saving, trainee.Watch(steps=stop)]
                  if isinstance(stop, int) else saving, progress=progress)  # fmt: skip
        model.fit(X, Y, epochs=1, batch_size=8, verbose=0)
        return model

    whole = script("whole")
    script(7)
    assert same(script(), whole)
