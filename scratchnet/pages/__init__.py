"""Reports as web pages: one self-contained file each, which opens offline, prints, and can be mailed.

The pages hold no script and load nothing: pictures and styles are inside. Jinja2 fills the templates and escapes every
text on its way, so what strangers write into class names and recipes stays text.
"""
