"""Disk: what is read from and written to, by blocking calls from worker threads."""
