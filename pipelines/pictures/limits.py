"""How large a picture may be."""

from __future__ import annotations

DEFAULT_MAX_PIXELS = 200_000_000
"""About 600 MB of RGB; larger pictures fail with `too-many-pixels` unless asked for."""
