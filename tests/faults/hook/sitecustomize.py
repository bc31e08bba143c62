"""Python loads this by itself where its folder is on PYTHONPATH: the tests strike an ``inv`` from within, and the
product knows nothing of it. It does nothing in any other program."""

import os
import sys

if "OPS_STRIKE" in os.environ and not os.environ.get("OPS_STRUCK"):
    from importlib.abc import MetaPathFinder
    from importlib.machinery import PathFinder

    class _Finder(MetaPathFinder):
        def find_spec(self, name, path, target=None):  # type: ignore[no-untyped-def]
            if name != "ops.engine.runner":
                return None
            sys.meta_path.remove(self)
            spec = PathFinder.find_spec(name, path, target)
            load = spec.loader.exec_module

            def exec_module(module):  # type: ignore[no-untyped-def]
                load(module)
                from tests.faults.striker import install

                install(module, os.environ["OPS_STRIKE"])

            spec.loader.exec_module = exec_module
            return spec

    sys.meta_path.insert(0, _Finder())
