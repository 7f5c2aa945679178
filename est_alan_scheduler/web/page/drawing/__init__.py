"""Drawings: pure functions that return SVG. Its colours come from the style sheets, by classes."""
