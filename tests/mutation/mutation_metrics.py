"""Mutants of the metrics that are computed from counts."""

from __future__ import annotations

from mutation_common import Mutant

COUNTS, RATIOS, AREA, BASE, ERRORS, CELLS = (
    f"scratchnet/metrics/{name}.py" for name in ("counts", "precision_recall", "auc", "base", "errors", "confusion")
)
# First without TensorFlow, which takes seconds to import.
VALUES = "tests/test_count_metrics.py -k 'not keras';tests/test_count_metrics.py -k keras"

# fmt: off
MUTANTS = [
    Mutant(COUNTS, "only the last batch counts", "self.counts = self.counts + batch", "self.counts = batch", VALUES),
    Mutant(COUNTS, "0/0 is 1", "out=np.zeros(np.shape(whole))", "out=np.ones(np.shape(whole))", VALUES),
    Mutant(COUNTS, "a bucket takes its lower end", "np.ceil(np.clip(y, 0, 1)", "np.floor(np.clip(y, 0, 1)", VALUES),
    Mutant(COUNTS, "spaced like n thresholds", "* np.float32(n - 1)", "* np.float32(n)", VALUES),
    Mutant(COUNTS, "a state of any shape is taken", "if counts.shape[:-1] != self.shape[:-1]:", "if False:",
        "tests/test_metrics_in_fit.py -k resumed"),
    Mutant(COUNTS, "an output that equals the threshold is positive",
        "y > np.float32(threshold) for", "y >= np.float32(threshold) for", VALUES),
    Mutant(CELLS, "negatives are counted as positives", "(positive == self.predicted)", "positive",
        "tests/test_counting_metrics.py -k 'hand or keras'"),
    Mutant(CELLS, "targets of 0 as those of 1", ".ravel() == self.target", ".ravel()",
        "tests/test_counting_metrics.py -k 'hand or keras'"),
    Mutant(ERRORS, "no root", "np.sqrt(super().result())", "super().result()",
        "tests/test_counting_metrics.py -k root"),
    Mutant(RATIOS, "precision counts what was missed", "return positive & ~label", "return label & ~positive", VALUES),
    Mutant(RATIOS, "recall counts false alarms", "return label & ~positive", "return positive & ~label", VALUES),
    Mutant(RATIOS, "the weights of a batch do not follow its samples",
        "for_outputs(weights, y.shape)", "np.tile(weights, y.size // len(y)).reshape(y.shape)", VALUES),
    Mutant(RATIOS, "all classes instead of one of them",
        "label, y, weights = (each[..., self.class_id] for each in (label, y, weights))", "pass", VALUES),
    Mutant(RATIOS, "the smallest instead of the largest", "np.argsort(-y, axis=-1", "np.argsort(y, axis=-1", VALUES),
    Mutant(RATIOS, "of equal outputs the last", 'np.argsort(-y, axis=-1, kind="stable")[..., :k]',
        'np.argsort(y, axis=-1, kind="stable")[..., -k:]', VALUES),
    Mutant(RATIOS, "F1: no factor 2", "scores = 2 * precision", "scores = precision", VALUES),
    Mutant(RATIOS, "F1: no epsilon", "recall + EPSILON)", "recall + 1e-300)", VALUES),
    Mutant(RATIOS, "F1: recall of the false positives", "recall = tp / (tp + fp + EPSILON), tp / (tp + fn + EPSILON)",
        "recall = tp / (tp + fp + EPSILON), tp / (tp + fp + EPSILON)", VALUES),
    Mutant(RATIOS, "F1: micro is macro", 'if self.average == "micro" else', "if False else", VALUES),
    Mutant(RATIOS, "F1: weighted by what was predicted", "Number((scores * (tp + fn))", "Number((scores * (tp + fp))",
        VALUES),
    Mutant(RATIOS, "F1: zeros are the largest", "& (abs(y) > 1e-9)", "", VALUES),
    Mutant(AREA, "the first threshold at 0", "below = np.maximum(exceeded(y, self.num_thresholds), 1)",
        "below = exceeded(y, self.num_thresholds)", VALUES),
    Mutant(AREA, "thresholds are exceeded when equal", "np.float32), y)", 'np.float32), y, side="right")', VALUES),
    Mutant(AREA, "NaN is above all thresholds", "np.where(np.isnan(y), 0, below)",
        "np.where(np.isnan(y), self.num_thresholds, below)", VALUES),
    Mutant(AREA, "the curve turned round", "rates = fraction(fp, fp + tn), fraction(tp, tp + fn)",
        "rates = fraction(tp, tp + fn), fraction(fp, fp + tn)", VALUES),
    Mutant(AREA, "precision of the negatives", "fraction(tp, tp + fp)", "fraction(tn, tn + fn)", VALUES),
    Mutant(AREA, "the left end of a part", "lambda a, b: (a + b) / 2", "lambda a, b: a", VALUES),
    Mutant(AREA, "minoring and majoring exchanged",
        '"minoring": np.minimum, "majoring": np.maximum', '"minoring": np.maximum, "majoring": np.minimum', VALUES),
    Mutant(AREA, "precision interpolated linearly", "* np.log(ratio))", "* (ratio - 1))", VALUES),
    Mutant(AREA, "the constant of the hyperbola: sign", "(tp[1:] - slope * q[1:])", "(tp[1:] + slope * q[1:])", VALUES),
    Mutant(AREA, "label weights forgotten in the mean",
        "Number(fraction((areas * weights).sum(), weights.sum()))", "Number(areas.mean())", VALUES),
    Mutant(AREA, "label weights forgotten in one curve", "            weights = weights * self.label_weights\n",
        "            pass\n", VALUES),
    Mutant(AREA, "logits: sign", "np.exp(-np.logaddexp(0, -y.", "np.exp(-np.logaddexp(0, y.", VALUES),
    Mutant(BASE, "a mean forgets the weights", "(each * weights).sum()", "each.sum()",
        "tests/test_fit_results.py -k standalone"),
    Mutant(ERRORS, "a batch counts once, whatever its size", "self.loss(y_true, y_pred, weights) * len(weights)",
        "self.loss(y_true, y_pred, weights)", VALUES),
    Mutant(ERRORS, "a loss without weights", "self.loss(y_true, y_pred, weights)", "self.loss(y_true, y_pred)", VALUES),
    Mutant("scratchnet/results.py", "the first of several numbers is shown", "float(np.mean(value))",
        "float(np.ravel(value)[0])", "tests/test_metrics_in_fit.py -k list_in"),
]
# fmt: on
