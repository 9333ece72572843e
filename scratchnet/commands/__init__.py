"""The bodies of the commands of ``scratchnet-train``, a file each; ``cli.py`` says which there are."""
