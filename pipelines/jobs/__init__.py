"""Shards on Beam's engines: runners, workers, progress. Knows no picture."""
