"""Decoding and grading in a process of its own, so that a crash or a hang costs one scan and not the service.

`supervisor.Worker` is what the daemon sees; `child` is the program that it starts; `channel` is what they speak.
"""
