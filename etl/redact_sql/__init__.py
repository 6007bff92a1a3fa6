"""The statements of ``etl.redaction``."""
