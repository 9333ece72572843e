"""Formulas as MathML, by the converter that docutils brings along; sources without the remarks that are for tools."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from pygments.lexers.special import TextLexer
from sphinx.util import logging


def converted(node: nodes.Node, formula: str, as_block: bool = False) -> str:
    """The formula as MathML; one that the converter does not know is a warning with its place."""
    try:
        return str(tex2mathml(formula, as_block=as_block))
    except MathError as error:
        logging.getLogger(__name__).warning("formula: %s", error, location=node)
        return ""


def visit_inline(translator: Any, node: nodes.math) -> None:
    """``$x$``."""
    translator.body.append(converted(node, node.astext()))
    raise nodes.SkipNode


def visit_block(translator: Any, node: nodes.math_block) -> None:
    r"""``$$x \qquad y$$``: formulas beside each other, or below each other where the screen is narrow."""
    parts = [part for part in re.split(r"\\qquad\b", node.astext()) if part.strip()]
    formulas = "".join(converted(node, part.strip(), as_block=True) for part in parts)
    translator.body.append(f'<div class="formula" tabindex="0">{formulas}</div>')
    raise nodes.SkipNode


def without_remarks(app: Any, doctree: nodes.document) -> None:
    """Leave out what a type checker and a formatter are told: it means nothing on a page."""
    for block in doctree.findall(nodes.literal_block):
        text = re.sub(r"  # (?:type: ignore|fmt: skip|noqa)\S*$", "", block.astext(), flags=re.MULTILINE)
        block.rawsource, block.children = text, []
        block += nodes.Text(text)


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    app.add_lexer("output", TextLexer)  # what a code block prints
    app.connect("doctree-read", without_remarks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
