"""Program that imports modules one after the other: `python -m nasbench.doctor.importing MODULE ...`.

It prints a line {"module": ..., "error": ...} after each import, and stops at the first error. If a module ends the
process, its line is missing.
"""

from __future__ import annotations

import importlib
import json
import sys


def main() -> None:
    """Import the modules named on the command line."""
    for name in sys.argv[1:]:
        error = ""
        try:
            importlib.import_module(name)
        except Exception as failure:  # any error of a library is reported
            error = f"{type(failure).__name__}: {' '.join(str(failure).split())[:300]}"
        print(json.dumps({"module": name, "error": error}), flush=True)
        if error:
            return


if __name__ == "__main__":
    main()
