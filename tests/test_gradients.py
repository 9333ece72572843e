"""Every layer and every loss: its gradients against finite differences, on both backends."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from cases import LAYERS, LOSSES, LayerCase, LossCase

import scratchnet as sn


@pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.id)
def test_layer(case: LayerCase, backend: str) -> None:
    rng = np.random.default_rng(zlib.crc32(case.id.encode()))
    layer = case.make(dtype="float32")
    report = sn.check_gradients(layer, rng.standard_normal(case.shape), training=case.training, max_elements=150)
    assert report.ok, report
    assert not report.moved, report
    assert {row.name.split("/")[-1] for row in report.rows} >= {"x"}


@pytest.mark.parametrize("case", LOSSES, ids=lambda case: case.id)
def test_loss(case: LossCase, backend: str) -> None:
    report = sn.check_gradients(case.loss, *case.make(np.random.default_rng(3)))
    assert report.ok, report
    assert report.rows[0].tolerance == 1e-6  # a loss is smooth
