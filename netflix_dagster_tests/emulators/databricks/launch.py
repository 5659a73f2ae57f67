"""What runs in the process of a task: the entry point of a wheel, or a Python file. Told on exit: why it failed.

launch.py <where to write the failure> wheel <package> <entry point> <parameters>...
launch.py <where to write the failure> file <path> <parameters>...
launch.py <where to write the failure> notebook <path> <parameters as JSON> <where to write what it exits with>
"""

import importlib
import importlib.metadata
import json
import runpy
import sys
import traceback
from pathlib import Path


def run_wheel(package: str, name: str, parameters: list[str]) -> None:
    """An entry point of the package's metadata, else the function of that name in the package."""
    sys.argv = [name, *parameters]
    found = [point for point in importlib.metadata.distribution(package).entry_points if point.name == name]
    function = found[0].load() if found else getattr(importlib.import_module(package.replace("-", "_")), name)
    function()


def main() -> None:
    failure, kind, *rest = sys.argv[1:]
    try:
        if kind == "wheel":
            run_wheel(rest[0], rest[1], rest[2:])
        elif kind == "notebook":
            notebook = runpy.run_path(str(Path(__file__).parent / "notebook.py"))
            Path(rest[2]).write_text(json.dumps(notebook["run"](rest[0], json.loads(rest[1]))))
        else:
            sys.argv = rest
            runpy.run_path(rest[0], run_name="__main__")
    except BaseException as error:
        if isinstance(error, SystemExit) and not error.code:
            return
        said = {"error": f"{type(error).__name__}: {error}", "error_trace": traceback.format_exc()}
        Path(failure).write_text(json.dumps(said))
        raise


main()
