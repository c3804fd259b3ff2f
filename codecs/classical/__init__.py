"""The codecs without learning, by the libraries of their formats, and the bit-exact ones."""
