"""Storage by fsspec, with exclusive creation and typed errors."""
