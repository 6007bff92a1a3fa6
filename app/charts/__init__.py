"""Charts: a frame in, an Altair chart out. They know neither Streamlit nor the warehouse."""
