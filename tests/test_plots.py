"""Pictures and tables: what they show is compared with the data, and with scikit-learn's reports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from scratchnet import plots, report
from scratchnet.datasets import Pixels, digits
from scratchnet.errors import ConfigError, DataError, ShapeError

NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


@pytest.fixture(scope="module")
def test_set():
    _, (x, y) = digits.load_data()
    rng = np.random.default_rng(3)
    predicted = np.where(rng.random(len(y)) < 0.9, y, rng.integers(0, 10, len(y)))
    return x, y.astype(int), predicted


def shown_images(figure):
    return [image.get_array() for image in figure.axes[0].get_images()]


def captions(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def read_png(path: Path) -> np.ndarray:
    from matplotlib.image import imread

    return imread(path)


def test_samples_show_the_first_images_under_their_names(test_set, tmp_path):
    x, y, _ = test_set
    figure = plots.plot_samples(x, y, NAMES, tmp_path / "samples.png", rows=2, columns=3)
    assert captions(figure) == [NAMES[label] for label in y[:6]]
    for shown, image in zip(shown_images(figure), x, strict=False):
        np.testing.assert_allclose(shown, image / x[:6].max(), rtol=1e-6)
    picture = read_png(tmp_path / "samples.png")
    assert picture.shape[0] > 300
    assert picture[..., :3].std() > 0.1  # not an empty sheet


@pytest.mark.parametrize("shape", [(64,), (8, 8), (8, 8, 1)])
def test_every_form_of_image_shows_the_same(test_set, shape):
    x, y, _ = test_set
    plain = shown_images(plots.plot_samples(x, y))
    given = shown_images(plots.plot_samples(Pixels(x, 1 / 16).reshape(shape), y))
    for one, other in zip(plain, given, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_color_images_keep_their_colors():
    x = np.random.default_rng(0).random((4, 5, 6, 3))
    shown = shown_images(plots.plot_samples(x, rows=2, columns=2))
    np.testing.assert_allclose(shown[3], x[3] / x.max(), rtol=1e-6)


@pytest.mark.parametrize("which", ["correct", "misclassified"])
def test_predictions_are_really_filtered(test_set, which, tmp_path):
    x, y, predicted = test_set
    rows = np.flatnonzero((y == predicted) == (which == "correct"))[:9]
    figure = plots.plot_predictions(x, y, predicted, NAMES, which, tmp_path / "grid.png")
    assert captions(figure) == [f"true: {NAMES[y[r]]}\npredicted: {NAMES[predicted[r]]}" for r in rows]
    for shown, row in zip(shown_images(figure), rows, strict=True):
        np.testing.assert_allclose(shown, x[row] / x[rows].max(), rtol=1e-6)
    assert (tmp_path / "grid.png").stat().st_size > 5000


def test_probabilities_give_the_class_and_how_sure(test_set):
    x, y, predicted = test_set
    scores = np.full((len(y), 10), 0.02)
    scores[np.arange(len(y)), predicted] = 0.82
    figure = plots.plot_predictions(x, y, scores, NAMES)
    row = np.flatnonzero(y != predicted)[0]
    assert captions(figure)[0] == f"true: {NAMES[y[row]]}\npredicted: {NAMES[predicted[row]]} (82%)"


def test_no_mistakes_at_all_is_said(test_set):
    x, y, _ = test_set
    figure = plots.plot_predictions(x, y, y)
    assert [text.get_text() for text in figure.texts if text.get_text() == "there are none"]


def test_history_draws_what_it_was_given(tmp_path):
    history = {"loss": [2.0, 1.0, 0.5], "accuracy": [0.3, 0.6, 0.8], "val_loss": [1.9, 1.2, 0.9]}
    figure = plots.plot_history(history, tmp_path / "curves.png")
    loss, accuracy = figure.axes
    assert [line.get_label() for line in loss.lines] == ["training", "validation"]
    np.testing.assert_array_equal(loss.lines[0].get_ydata(), history["loss"])
    np.testing.assert_array_equal(loss.lines[1].get_ydata(), history["val_loss"])
    np.testing.assert_array_equal(accuracy.lines[0].get_ydata(), history["accuracy"])
    assert len(accuracy.lines) == 1
    assert loss.lines[0].get_linestyle() != loss.lines[1].get_linestyle()  # told apart without color
    assert (tmp_path / "curves.png").exists()


def test_one_epoch_is_a_point_that_can_be_seen():
    figure = plots.plot_history({"loss": [2.0], "val_loss": [1.9]})
    (loss,) = figure.axes
    assert loss.get_xlabel() == "one epoch: a point each"
    assert list(loss.get_xticks()) == [1]
    assert all(line.get_marker() != "None" and line.get_markersize() > 6 for line in loss.lines)


def test_confusion_matrix_shows_the_counts(test_set, tmp_path):
    _, y, predicted = test_set
    figure = plots.plot_confusion_matrix(y_true=y, y_pred=predicted, class_names=NAMES, path=tmp_path / "c.png")
    matrix = report.confusion_matrix(y, predicted)
    assert [int(text.get_text()) for text in figure.axes[0].texts] == matrix.ravel().tolist()
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == NAMES


def test_filters_of_convolutions_and_dense_layers():
    rng = np.random.default_rng(1)
    conv, dense = rng.normal(size=(3, 3, 2, 12)), rng.normal(size=(64, 5))
    shown = shown_images(plots.plot_filters(conv))
    assert len(shown) == 12
    np.testing.assert_allclose(shown[4], conv[:, :, 0, 4] / np.abs(conv[:, :, 0, 4]).max())
    shown = shown_images(plots.plot_filters(dense))
    np.testing.assert_allclose(shown[2], dense[:, 2].reshape(8, 8) / np.abs(dense[:, 2]).max())


def test_refusals(test_set, tmp_path):
    x, y, predicted = test_set
    with pytest.raises(ConfigError, match="'correct' or 'misclassified', got 'wrong'"):
        plots.plot_predictions(x, y, predicted, which="wrong")
    with pytest.raises(ShapeError, match=r"got \(5, 7\)"):
        plots.plot_samples(np.zeros((5, 7)))
    with pytest.raises(ShapeError, match="359 samples, 358 labels"):
        plots.plot_predictions(x, y[:-1], predicted)
    with pytest.raises(DataError, match="at least one epoch"):
        plots.plot_history({"loss": []})
    with pytest.raises(DataError, match=r"nowhere/x\.png: cannot be written: No such file"):
        plots.plot_samples(x, path=tmp_path / "nowhere" / "x.png")
    with pytest.raises(DataError, match="labels from 0 to 1, got 9"):
        plots.plot_confusion_matrix(y_true=y, y_pred=predicted, class_names=["a", "b"])
    with pytest.raises(DataError, match="at least 10 names, got 2"):
        plots.plot_confusion_matrix(np.eye(10, dtype=int), ["a", "b"])


def test_reports_are_scikit_learns(test_set):
    from sklearn import metrics

    _, y, predicted = test_set
    np.testing.assert_array_equal(report.confusion_matrix(y, predicted), metrics.confusion_matrix(y, predicted))
    expected = metrics.classification_report(y, predicted, target_names=NAMES, digits=4)
    assert report.classification_report(y, predicted, NAMES) == expected


def test_a_class_that_is_never_predicted_and_one_that_never_occurs():
    from sklearn import metrics

    y, predicted = np.array([0, 0, 1, 3, 3]), np.array([0, 1, 1, 1, 0])
    expected = metrics.classification_report(y, predicted, zero_division=0, digits=4)
    assert report.classification_report(y, predicted) == expected  # class 2 is in neither, and left out


def test_most_confused_names_the_largest_mistakes():
    matrix = np.array([[50, 3, 0], [7, 40, 1], [0, 0, 60]])
    assert report.most_confused(matrix) == [(1, 0, 7), (0, 1, 3), (1, 2, 1)]
    assert "." in report.confusion_table(matrix)


def test_a_users_choice_of_matplotlib_backend_is_left_alone(tmp_path):
    code = (
        "import matplotlib, numpy as np; matplotlib.use('svg'); from scratchnet import plots;"
        "plots.plot_samples(np.eye(8)[None].repeat(3, 0), path='s.png');"
        "import sys; assert matplotlib.get_backend() == 'svg'; assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, timeout=60)
    assert (tmp_path / "s.png").read_bytes().startswith(b"\x89PNG")
