"""Pictures inside a page: data URLs, scaled down where the page shows them small."""

from __future__ import annotations

import base64
import io

from PIL import Image


def data_url(image: Image.Image, side: int, *, lossless: bool = False) -> str:
    """A picture of at most `side` pixels as a data URL; small ones in full quality."""
    shown = image.convert("RGBA" if image.mode in ("RGBA", "LA", "PA") else "RGB")
    shown.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    shown.save(buffer, "WEBP", quality=90, method=4, lossless=lossless)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
