"""What the pages show, as typed functions from a store and filters to frames: no Streamlit, no SQL text."""
