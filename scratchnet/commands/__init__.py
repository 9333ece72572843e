"""The commands of ``scratchnet-train``, one file each; ``cli.py`` lists them."""
