"""Learning refiners."""
