"""The transforms of the hyperprior codec, and the nets that predict its latent."""
