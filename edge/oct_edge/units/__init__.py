"""The service as files: which ones there are, where they belong, and how they get there and away again.

`shipped` knows the files, `install` writes and removes them, `manager` is what systemd is asked to do.
"""
