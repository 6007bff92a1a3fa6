"""Statistics as pure functions of counts and sums: no SQL, no Streamlit, no frames."""
