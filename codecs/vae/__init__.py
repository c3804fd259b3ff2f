"""Variational autoencoder: pictures as small latent tensors, and tensors as pictures."""
