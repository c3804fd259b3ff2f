"""Learning the variational autoencoder."""
