"""What a person or a schedule starts: the command line, the Prefect flows, the reports."""
