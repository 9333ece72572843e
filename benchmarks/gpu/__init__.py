"""``python -m benchmarks --device gpu``: the same networks, checks and turns as on the CPU, timed on the GPU.

`command` reads the command line and runs the parts, `adapters` are the frameworks on a device, `measuring` is what a
worker measures of the GPU itself, `training` the whole trainings, `targets` what is to be reached, `report` the table.
"""
