"""A Langfuse-shaped API server with generated traffic: what ``tracehouse demo`` and the tests sync from."""
