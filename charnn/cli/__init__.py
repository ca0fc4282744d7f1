"""The command line: one file per command, joining api and view."""
