"""The statements of ``etl.reread`` and ``etl.deletions``, one idea per file."""
