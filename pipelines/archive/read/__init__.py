"""Snapshots opened, searched, and decoded."""
