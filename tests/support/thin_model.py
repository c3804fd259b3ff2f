"""A shape of `hyperprior` that trains in milliseconds."""

from glassplate.codecs.hyperprior.network.model import ModelConfig

THIN = ModelConfig(
    spatial=8, hidden=8, y=32, z=4, hyper=8, context=8, scale_hidden=8,
    analysis_blocks=1, synthesis_blocks=1, nodes=3,
)  # fmt: skip
