"""Settings of the generated API pages: `make docs`."""
project = "infonodes"
extensions = ["sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
autosummary_generate = True
autodoc_mock_imports: list = []
html_theme = "alabaster"
templates_path: list = []
