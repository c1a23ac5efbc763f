"""shells: how each shell is told what completes a command line."""
