"""Learning restorers."""
