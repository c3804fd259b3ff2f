"""What is said in a file whose pixels were invented."""
