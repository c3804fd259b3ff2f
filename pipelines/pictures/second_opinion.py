"""Other libraries' word on a file that Pillow does not read: do its pixels decode?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import imagecodecs

_DECODERS: Mapping[str, Callable[..., Any]] = {
    "BMP": imagecodecs.bmp_decode,
    "GIF": imagecodecs.gif_decode,
    "JPEG": imagecodecs.jpeg_decode,
    "JPEG2000": imagecodecs.jpeg2k_decode,
    "JPEGXR": imagecodecs.jpegxr_decode,
    "JXL": imagecodecs.jpegxl_decode,
    "PNG": lambda data: imagecodecs.png_decode(_critical_chunks(data)),
    "QOI": imagecodecs.qoi_decode,
    "TIFF": imagecodecs.tiff_decode,
    "WEBP": imagecodecs.webp_decode,
}


def decodes_elsewhere(data: bytes, label: str) -> bool | None:
    """Whether another decoder reads a file to its end; None: there is none for its format.

    Its sizes have to be checked before: it makes room for what the file declares.
    """
    decode = _DECODERS.get(label)
    if decode is None:
        return None
    try:
        decode(data)
    except (RuntimeError, ValueError, TypeError, OSError):
        return False
    return True


def _critical_chunks(data: bytes) -> bytes:
    """A PNG file, whose chunks are whole, without what libpng would only have words about."""
    chunks, position = [data[:8]], 8
    while position < len(data):
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        if data[position + 4 : position + 5].isupper():
            chunks.append(data[position:end])
        position = end
    return b"".join(chunks)
