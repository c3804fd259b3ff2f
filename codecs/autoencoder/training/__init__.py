"""Learning and comparing autoencoders."""
