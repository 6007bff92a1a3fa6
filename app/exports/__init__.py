"""Data out: rows as files, evaluation datasets, and what goes back to Langfuse.

The one part of the app that may use the API's client, because datasets are pushed through it.
"""
