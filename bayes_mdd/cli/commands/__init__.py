"""The commands, one module each; their docstrings are the help texts.

Whatever is heavy is imported when a command runs, so that ``--help`` and a misspelt option answer
at once.
"""
