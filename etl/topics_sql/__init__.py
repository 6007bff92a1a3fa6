"""The statements of ``etl.topics``, one idea per file."""
