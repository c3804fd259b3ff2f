"""Processes that decode and search, and the queue before them."""
