"""What happens to one picture: the codec family, its bitstreams and its measures.

Importing this package before torch tells OpenMP's threads to sleep while they wait. By default they
spin, which on busy cores makes everything several times slower; OMP_WAIT_POLICY overrules it.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

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
