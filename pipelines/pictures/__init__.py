"""A file becomes pixels and metadata, or the reason why it is kept."""
