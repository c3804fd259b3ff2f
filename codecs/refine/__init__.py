"""Generative refinement of decoded pictures: zero bits, on demand, seeded, labelled."""
