"""Faults in engines and states, and the table of all: `python -m bench.faults`."""
