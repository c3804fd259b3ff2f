"""Symbols to bytes and back by integers alone, the same on every device."""
