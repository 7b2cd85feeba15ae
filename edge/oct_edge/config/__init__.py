"""The settings of the daemon, from a file, from variables and from flags, each with where it came from.

`tree` says what can be set. Flags win, then variables, then the file, then the defaults.
"""
