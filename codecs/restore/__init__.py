"""Restoration: denoising and super-resolution by small networks, on request, labelled."""
