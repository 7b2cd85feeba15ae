"""Mutations of pictures of every format, and what the scan reader does with them: `make fuzz`."""
