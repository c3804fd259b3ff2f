"""The codecs whose pictures can be refined."""

DECODERS = {"hyperprior": "glassplate.codecs.refine.of_hyperprior:decode_plain"}
"""Name -> 'module:function' that gives a `Plain`."""
