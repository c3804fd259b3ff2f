"""The command line, a file for each verb or family of them."""
