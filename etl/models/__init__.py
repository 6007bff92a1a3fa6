"""SQL models: raw rows in, marts out. See ``etl.transform`` for their order."""
