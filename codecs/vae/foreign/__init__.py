"""Autoencoders of other projects."""
