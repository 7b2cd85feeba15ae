"""Any finished run on any data: its own test scans, or those of another hospital.

Figures on scans that a network was trained on are no test, so what the run has seen of the data is looked for first,
and said. The temperature is the run's own, fitted on its validation scans and never on what is measured here.
"""
