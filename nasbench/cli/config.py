"""`nasbench config`: show the configuration in effect."""

from __future__ import annotations

import click

from nasbench.cli.options import print_table


@click.group(invoke_without_command=True)
@click.pass_context
def config(context: click.Context) -> None:
    """Show the values in effect and where each comes from: the environment, the configuration file, or the default.

    The file is TOML: nasbench/config.toml in $XDG_CONFIG_HOME (~/.config), or the one that NASBENCH_CONFIG names.
    Options of commands are used before all of them.

    \b
    Example:
      nasbench config
      nasbench config path
    """
    from nasbench.cli.output import say
    from nasbench.user_config import VARIABLES, config_path, user_settings
    from nasbench.user_config.fields import UserConfig

    if context.invoked_subcommand is not None:
        return
    settings = user_settings()
    print_table(
        ("key", "value", "from", "variable", "what"),
        [
            (key, found.value, found.origin, VARIABLES[key], UserConfig.model_fields[key].description or "")
            for key, found in settings.items()
        ],
    )
    path = config_path()
    say(f"\nfile: {path}{'' if path.exists() else ' (there is none)'}")


@config.command()
def path() -> None:
    """Print the path of the configuration file, whether there is one or not."""
    from nasbench.user_config import config_path

    click.echo(config_path())
