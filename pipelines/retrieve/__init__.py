"""Pictures out of the archive as a job: plan, decode, files."""
