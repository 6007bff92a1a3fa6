"""The sync: from the Langfuse API to a published DuckDB snapshot. Knows neither the app nor Streamlit."""
