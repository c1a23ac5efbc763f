"""State: what outlives the process, in a directory of our own: the spool, the attempts, the checkpoints."""
