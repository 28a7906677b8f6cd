"""One folder a cloud, the same file names in each.

These packages import nothing: a process that runs one dynamic provider imports its module alone.
"""
