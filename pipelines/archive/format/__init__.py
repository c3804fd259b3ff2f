"""What lies in an archive, and what it means."""
