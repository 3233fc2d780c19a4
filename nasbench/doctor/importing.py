"""Imports the modules it is given, one after the other, and reports each: `python -m nasbench.doctor.importing MODULE ...`.

Prints {"module": ..., "error": ...} for each and stops at the first that fails; one that ends the process is the one not reported.
"""

from __future__ import annotations

import importlib
import json
import sys


def main() -> None:
    """Import what the command line names."""
    for name in sys.argv[1:]:
        error = ""
        try:
            importlib.import_module(name)
        except Exception as failure:  # whatever it is, it is reported
            error = f"{type(failure).__name__}: {' '.join(str(failure).split())[:300]}"
        print(json.dumps({"module": name, "error": error}), flush=True)
        if error:
            return


if __name__ == "__main__":
    main()
