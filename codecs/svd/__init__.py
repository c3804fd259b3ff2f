"""Low-rank approximation, complete with its entropy coding."""
