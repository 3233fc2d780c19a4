"""The user's configuration file, and the environment variables that replace its values.

The command line reads it: an option is used before an environment variable, this before the file, and the file before
the default. Calls from Python use only the folder of data; everything else is an argument there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

FILE_VARIABLE: Final = "NASBENCH_CONFIG"
VARIABLES: Final[Mapping[str, str]] = {
    "data_folder": "NASBENCH_DATA",
    "devices": "NASBENCH_DEVICES",
    "price": "NASBENCH_PRICE",
    "verbosity": "NASBENCH_VERBOSITY",
}
"""Key of the file -> environment variable that is used before it."""

DEFAULTS: Final[Mapping[str, str]] = {
    "data_folder": "~/.cache/nasbench",
    "devices": "cpu",
    "price": "",
    "verbosity": "normal",
}
"""Key of the file -> value that is used where nothing is configured."""

Source = Literal["environment", "file", "default"]


@dataclass(frozen=True)
class Setting:
    """A value in effect.

    Args:
        value: as an option would have it.
        source: kind of place that it comes from.
        place: the variable's name or the file's path; "" for the default.
    """

    value: str
    source: Source
    place: str

    @property
    def origin(self) -> str:
        """The place in words, e.g. "file /home/me/.config/nasbench/config.toml"."""
        return f"{self.source} {self.place}".rstrip()


def config_path() -> Path:
    """Path of the configuration file, whether it exists or not.

    Returns:
        The file that the environment variable NASBENCH_CONFIG names, else nasbench/config.toml in $XDG_CONFIG_HOME,
        which is ~/.config by default.
    """
    given = os.environ.get(FILE_VARIABLE)
    if given:
        return Path(given).expanduser()
    base = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(base) if Path(base).is_absolute() else Path.home() / ".config"  # the standard ignores relative paths
    return folder / "nasbench" / "config.toml"


def user_settings() -> dict[str, Setting]:
    """Return the values in effect by key, from the environment, the configuration file or the defaults.

    Raises:
        InputError: when the file or a variable has a wrong value; one line with the place, the key and what is allowed.
        MissingData: when NASBENCH_CONFIG names a file that does not exist.
    """
    if not is_configured():
        return {key: Setting(value, "default", "") for key, value in DEFAULTS.items()}
    from nasbench.user_config.fields import read_settings

    return read_settings()


def is_configured() -> bool:
    """Check whether there is anything to read, because that needs pydantic, which is slow to import.

    Returns:
        True if there is a configuration file or a variable.
    """
    if any(map(os.environ.get, (FILE_VARIABLE, *VARIABLES.values()))):
        return True
    try:
        os.lstat(config_path())
    except FileNotFoundError:
        return False
    except OSError:  # reading says what is wrong
        return True
    return True


def user_setting(key: str) -> Setting:
    """Return the value in effect for one key of `UserConfig`.

    Args:
        key: "data_folder", "devices", "price" or "verbosity".

    Raises:
        InputError, MissingData: see `user_settings`.
    """
    return user_settings()[key]
