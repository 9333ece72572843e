"""The layers: one short file per family."""

from .base import Layer
