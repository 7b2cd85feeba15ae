"""Is this device fit for the work? Everything that the work needs is tried or looked at, and told with what cures it.

`finding` is what is told, `grading` and `trial` ask for real answers, `hardware` looks at camera, Edge TPU, clock, heat
and power, `places` at settings, folders and disks, and `report` makes a row for docs/devices.md of all that.
"""
