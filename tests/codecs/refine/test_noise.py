"""Noise by place: normal, independent, the same however it is asked for."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from glassplate.codecs.container.grid import Rect
from glassplate.codecs.refine.noise import PictureNoise, noise_of

NOISE = noise_of(b"a stream", 7)
WHOLE = NOISE.window(Rect(0, 0, 200, 300), 2)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 199), st.integers(0, 299), st.integers(1, 200), st.integers(1, 300))
def test_a_window_is_a_part_of_the_whole(top: int, left: int, height: int, width: int) -> None:
    rect = Rect(top, left, min(top + height, 200), min(left + width, 300))
    part = NOISE.window(rect, 2)
    assert np.array_equal(part, WHOLE[:, rect.top : rect.bottom, rect.left : rect.right])


def test_it_is_normal() -> None:
    values = NOISE.window(Rect(0, 0, 512, 512), 0)
    assert abs(values.mean()) < 0.005
    assert abs(values.std() - 1) < 0.005
    assert abs((values**4).mean() - 3) < 0.05
    across = (values[:, :, 1:] * values[:, :, :-1]).mean()
    between = (values[0] * values[1]).mean()
    assert max(abs(across), abs(between)) < 0.01


def test_streams_seeds_and_steps_differ() -> None:
    rect = Rect(0, 0, 64, 64)
    others = [noise_of(b"another", 7), noise_of(b"a stream", 8), noise_of(b"", 1 << 100)]
    for other in others:
        assert abs((other.window(rect, 2) * WHOLE[:, :64, :64]).mean()) < 0.05
    assert abs((NOISE.window(rect, 3) * WHOLE[:, :64, :64]).mean()) < 0.05


def test_it_stays_the_same_for_ever() -> None:
    values = PictureNoise(bytes(range(16))).window(Rect(0, 0, 64, 64), 0)[:, 0, 0]
    np.testing.assert_allclose(values, [-0.07647943, -2.0627947, -0.25597674], rtol=1e-5)
