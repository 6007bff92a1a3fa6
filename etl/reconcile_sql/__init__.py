"""The statements of ``etl.reconcile``."""
