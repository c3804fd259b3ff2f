"""Pictures as files: one, a folder, a data set."""
