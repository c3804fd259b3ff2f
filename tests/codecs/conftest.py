"""One thread for all tests of codecs: pictures are small, and other processes may be at work."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
