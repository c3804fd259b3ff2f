"""What a service is told, what is asked of it, and how it refuses."""
