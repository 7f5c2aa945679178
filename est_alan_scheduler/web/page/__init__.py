"""The page: what an operator sees in a browser, as HTML from templates, kept fresh by a little JavaScript."""
