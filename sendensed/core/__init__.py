"""core: what the hub decides, in pure code. No trio, no clock, no database."""
