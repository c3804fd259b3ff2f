"""Codecs and refiners measured on pictures."""
