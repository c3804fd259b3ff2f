"""Where files lie: local folders, object stores, web servers."""
