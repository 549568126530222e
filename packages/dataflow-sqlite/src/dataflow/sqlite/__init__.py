"""SQLite for DataFlow: the embedded default, in a file or in memory."""
