"""The statements of ``etl.state`` that are longer than a line."""
