"""Shards and commits."""
