"""The site: ``python -m sphinx -W docs docs/_build``. ``pip install -e '.[docs]'`` installs all it needs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))
os.environ.setdefault("SCRATCHNET_BACKEND", "numpy")  # importing for autodoc compiles nothing

project = "scratchnet"
author = "the scratchnet authors"
copyright = ""
html_show_copyright = html_show_sphinx = False

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "mathml"]
exclude_patterns = ["_build", "_ext"]
suppress_warnings: list[str] = []

# Formulas become MathML, which browsers draw themselves: no script, no font, nothing from the network.
html_math_renderer = "mathml"
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

default_role = "py:obj"  # `Name` in a docstring is a link where there is something of that name
autodoc_typehints = "none"  # the docstrings say what arguments are; Any in every signature says nothing
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_custom_sections = [("Attributes", "params_style")]  # several names may share a line
napoleon_use_rtype = False

html_theme = "furo"
html_title = "scratchnet"
html_copy_source = False
html_css_files = ["scratchnet.css"]
html_static_path = ["_static"]
