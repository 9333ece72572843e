"""scratchnet: a neural-network engine written by hand, readable in a lecture."""

from . import backend, config, datasets, errors, initializers, layers
from .backend import get_backend, set_backend, use_backend
