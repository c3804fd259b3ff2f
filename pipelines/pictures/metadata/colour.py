"""Whether a colour description says anything but sRGB, which is what is meant where none is."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from glassplate.pipelines.pictures.metadata.segment import Segment

_UNSPECIFIED = 2
_SRGB_PRIMARIES, _SRGB_TRANSFER = 1, 13
_SRGB_GAMMA = 45455
_SRGB_POINTS = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
"""White, red, green, blue: x and y in hundred-thousandths, as in PNG's cHRM."""
_NEAR = 0.01
_HDR_CHUNKS = ("mDCV", "mDCv", "cLLI", "cLLi")


def is_srgb_code(primaries: int, transfer: int) -> bool:
    """Whether code points are sRGB's, as in ITU-T H.273."""
    return primaries in (_SRGB_PRIMARIES, _UNSPECIFIED) and transfer in (
        _SRGB_TRANSFER,
        _UNSPECIFIED,
    )


def code_segment(primaries: int, transfer: int) -> Segment:
    """As PNG's chunk: RGB, full range."""
    return Segment(kind="cICP", data=bytes([primaries & 255, transfer & 255, 0, 1]))


def colour_code(segments: Sequence[Segment]) -> tuple[int, int] | None:
    """Primaries and transfer of a cICP segment."""
    for segment in segments:
        if segment["kind"] == "cICP" and len(segment["data"]) == 4:
            return segment["data"][0], segment["data"][1]
    return None


def colour_beside_icc(segments: Sequence[Segment]) -> str | None:
    """What segments say of colour that is not sRGB, for a reader; None: nothing.

    cICP counts before sRGB, and that before gAMA and cHRM. An ICC profile, which a cICP overrules,
    is not looked at here.
    """
    if code := colour_code(segments):
        return None if is_srgb_code(*code) else f"colour by code points {code[0]}/{code[1]} (cICP)"
    found = {segment["kind"]: segment["data"] for segment in segments}
    if "sRGB" in found:
        return None
    gamma = int.from_bytes(found.get("gAMA", b"")[:4], "big")
    if gamma and abs(gamma / _SRGB_GAMMA - 1) > _NEAR:
        return f"a gamma of 1/{100_000 / gamma:.3g} (gAMA)"
    points = found.get("cHRM", b"")
    if len(points) == 32 and not are_srgb_points(struct.unpack(">8I", points)):
        return "primaries of its own (cHRM)"
    return None


def are_srgb_points(points: Sequence[float]) -> bool:
    """White, red, green, blue: x and y in hundred-thousandths."""
    return all(
        abs(value - wanted) <= 100_000 * _NEAR / 2
        for value, wanted in zip(points, _SRGB_POINTS, strict=True)
    )
