"""How the parser prints help: plain text whose paragraphs fit the terminal, without the types that typer shows."""

from __future__ import annotations

import re
from typing import Any

from typer.core import TyperCommand

SETTINGS: dict[str, Any] = {
    "context_settings": {"help_option_names": ["-h", "--help"]},
    "rich_markup_mode": None,  # its panels keep the line breaks of paragraphs and show <bool> next to flags
}


class Command(TyperCommand):
    """A command whose help says ``PICTURE...`` where newer typers have ``{PICTURE}...`` and ``<list[Path]>``."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [re.sub(r"^\{(.*)\}", r"\1", piece) for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        write = formatter.write_dl

        def without_types(rows: Any, *given: Any, **named: Any) -> None:
            write([(re.sub(r" <[^ ]+>$", "", name), text) for name, text in rows], *given, **named)

        formatter.write_dl = without_types
        super().format_options(ctx, formatter)
