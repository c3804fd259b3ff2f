"""Learning the hyperprior codec."""
