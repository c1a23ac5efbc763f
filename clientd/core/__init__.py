"""Core: what a copy is and how it is told, as pure values and functions. Neither trio nor a clock here."""
