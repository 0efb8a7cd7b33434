"""Runs, sweeps and figures; nothing here is part of the installed package."""
