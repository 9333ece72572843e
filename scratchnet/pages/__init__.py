"""Reports as web pages: one self-contained file each, which opens offline, prints, and can be mailed.

The pages contain no script and load nothing: pictures and styles are embedded. Jinja2 fills the templates and escapes
all text, so whatever strangers write into class names and recipes stays text.
"""
