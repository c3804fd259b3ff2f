"""What happens to one picture: the codec family, its bitstreams and its measures."""

from glassplate.codecs.base import Codec, CodecSpec, Encoded, FileCodec, Pixels, Region, Target
from glassplate.codecs.registry import codec_from_spec, codec_names, get_codec, register

__all__ = [
    "Codec",
    "CodecSpec",
    "Encoded",
    "FileCodec",
    "Pixels",
    "Region",
    "Target",
    "codec_from_spec",
    "codec_names",
    "get_codec",
    "register",
]
