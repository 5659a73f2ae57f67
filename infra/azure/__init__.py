"""Azure as code: a Pulumi program, typed, one module for each thing, ``stack.py`` puts them together.

``pulumi`` and its providers are the dependency group ``infra``: nothing of the platform needs them to run.
"""
