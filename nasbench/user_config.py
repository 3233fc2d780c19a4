"""The user's configuration file, and the environment variables that replace its values.

The command line reads it: an option is used before an environment variable, this before the file, and the file before
the default. Calls from Python use only the folder of data; everything else is an argument there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from nasbench.errors import InputError, MissingData
from nasbench.protocols.protocol import validated

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE_VARIABLE: Final = "NASBENCH_CONFIG"
VARIABLES: Final[Mapping[str, str]] = {
    "data_folder": "NASBENCH_DATA",
    "devices": "NASBENCH_DEVICES",
    "price": "NASBENCH_PRICE",
    "verbosity": "NASBENCH_VERBOSITY",
}
"""Key of the file -> environment variable that is used before it."""


class UserConfig(BaseModel):
    """Keys of the configuration file. All can be left out."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    data_folder: str = Field(
        "~/.cache/nasbench", min_length=1, description="folder of cifar10, cifar100, imagenet and decoded images"
    )
    devices: str = Field("cpu", min_length=1, description="devices of new searches, e.g. cuda:0,cuda:1")
    price: str = Field(
        "", description="USD per device-hour of new searches, or a CSV price table; empty: the shipped table"
    )
    verbosity: Literal["quiet", "normal", "verbose", "debug"] = Field(
        "normal", description="what commands print besides their results"
    )

    @field_validator("devices", mode="before")
    @classmethod
    def _join(cls, value: Any) -> Any:
        """Read a list of devices as their names with commas."""
        names = isinstance(value, list) and all(isinstance(name, str) for name in value)
        return ",".join(value) if names else value

    @field_validator("price", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        """Read a number as the option --price has it."""
        return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


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
    path = config_path()
    written = _read(path)
    model = validated(UserConfig, written, f"configuration file {str(path)!r}")
    settings = {}
    for key, variable in VARIABLES.items():
        given = os.environ.get(variable)
        if given:
            value = getattr(validated(UserConfig, {key: given}, f"environment variable {variable}"), key)
            settings[key] = Setting(value, "environment", variable)
        elif key in written:
            settings[key] = Setting(_from_folder(key, getattr(model, key), path.parent), "file", str(path))
        else:
            settings[key] = Setting(getattr(model, key), "default", "")
    return settings


def user_setting(key: str) -> Setting:
    """Return the value in effect for one key of `UserConfig`.

    Args:
        key: "data_folder", "devices", "price" or "verbosity".

    Raises:
        InputError, MissingData: see `user_settings`.
    """
    return user_settings()[key]


def _read(path: Path) -> dict[str, Any]:
    """Read the file's keys; none if there is no file and none was asked for."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if os.environ.get(FILE_VARIABLE):
            raise MissingData(
                f"{FILE_VARIABLE} names the configuration file {str(path)!r}, which does not exist: create it, or unset "
                f"{FILE_VARIABLE}"
            ) from None
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"configuration file {str(path)!r} cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"configuration file {str(path)!r} is not valid TOML: {error}") from None


def _from_folder(key: str, value: str, folder: Path) -> str:
    """Make paths of the file independent of the current folder: they are relative to the file's own."""
    if key == "data_folder" or (key == "price" and value and not _is_number(value)):
        return str(folder.absolute() / Path(value).expanduser())
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
