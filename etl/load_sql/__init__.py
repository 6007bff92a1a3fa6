"""The statements of the load, one idea per file; ``etl.load`` says in which order they run."""
