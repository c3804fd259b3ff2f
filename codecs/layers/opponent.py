"""Colours as lightness and two differences, in which residuals are nearly uncorrelated.

Ohta, Kanade and Sakai, "Color information for region segmentation" (CGIP 1980), made orthonormal:
white noise stays white. Most of a residual's energy is in the first axis, so that noise of the
residual's own spread is hardly coloured.
"""

from __future__ import annotations

import torch
from torch import Tensor

_AXES = torch.tensor([[1.0, 1, 1], [1, 0, -1], [1, -2, 1]])
_AXES = _AXES / _AXES.norm(dim=1, keepdim=True)


def to_opponent(rgb: Tensor) -> Tensor:
    """(N, 3, H, W), differences of red, green and blue, to lightness, red-blue, green-magenta."""
    return torch.einsum("ac,nchw->nahw", _AXES.to(rgb), rgb)


def to_rgb(opponent: Tensor) -> Tensor:
    """Inverse of `to_opponent`."""
    return torch.einsum("ac,nahw->nchw", _AXES.to(opponent), opponent)
