"""Sphinx configuration of the documentation site: ``make docs``.

The source folder is the repository, so that links between pages, model cards and notebooks are the
same here and on GitHub.
"""

import sys
from pathlib import Path

import bayes_mdd

sys.path.insert(0, str(Path(__file__).parent))
from command_reference import write_page

# Pages that are generated, as those of autosummary are.
write_page(Path(__file__).parent / "api" / "generated" / "commands.md")

project = "bayes_mdd"
author = "bayes_mdd developers"
project_copyright = author
version = release = bayes_mdd.__version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
]
root_doc = "docs/index"
include_patterns = [
    "docs/**.md",
    "docs/api/generated/**",
    "models/*.md",
    "docs/notebooks/*.ipynb",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "data/evidence/README.md",
]
# Folders that need not be searched.
exclude_patterns = [
    ".*",
    "bayes_mdd",
    "benchmarks",
    "build",
    "data/demo",
    "dist",
    "docs/_build",
    "runs",
    "tests",
]

# Pages
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
# Blocks of code without a language are files and folders.
highlight_language = "none"
# Copies of the notebooks with outputs, written by `make notebooks`.
nb_execution_mode = "off"

# API reference
autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
default_role = "py:obj"

# Appearance
html_theme = "pydata_sphinx_theme"
html_title = f"bayes_mdd {release}"
html_extra_path = ["_extra"]
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": False,
    "show_prev_next": True,
    "show_toc_level": 2,
    "header_links_before_dropdown": 7,
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
}
html_sidebars = {"docs/changelog": []}
