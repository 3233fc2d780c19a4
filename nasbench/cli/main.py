"""The command group. Commands are imported only when they run, which keeps `nasbench --help` fast."""

from __future__ import annotations

import errno
import importlib
import sys
import tempfile
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from nasbench import __version__
from nasbench.cli.output import complain, wants_colour, with_verbosity
from nasbench.cli.outputs import with_outputs
from nasbench.errors import DataFaults, NasbenchError, blamed_part
from nasbench.runners.signals import is_explained, termination_as_interrupt
from nasbench.streams import drop_output, guarded_streams
from nasbench.texts import shortened

# name -> (module:attribute, one line for the help). The lines are here because `nasbench --help` imports no command.
COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("nasbench.cli.run:run", "Run one search under a budget."),
    "resume": ("nasbench.cli.run:resume", "Resume the unfinished searches of a results file."),
    "status": (
        "nasbench.cli.status:status",
        "Show the status of runs: rate, hours, USD, budget, best.",
    ),
    "suite": ("nasbench.cli.suite:suite", "Run, list and show suites: matrices of searches."),
    "replay": ("nasbench.cli.replay:replay", "Search a complete table on a simulated clock."),
    "bench": ("nasbench.cli.bench:bench", "Compare strategies on a frozen suite, offline; check submissions."),
    "leaderboard": ("nasbench.cli.leaderboard:leaderboard", "Write a static site of submissions and reference runs."),
    "table": ("nasbench.cli.table:table", "Build complete tables; show their statistics and neighbours."),
    "surrogate": (
        "nasbench.cli.surrogate:surrogate",
        "Fit and show surrogates: predictions in place of a complete table.",
    ),
    "tables": ("nasbench.cli.tables:tables", "List the tables that ship; show, verify or get one by name."),
    "query": ("nasbench.cli.query:query", "Select, sort and print children by conditions on their columns."),
    "show": ("nasbench.cli.show:show", "Show an architecture: encoding, counts, scores, picture."),
    "score": (
        "nasbench.cli.score:score",
        "Zero-cost scores of untrained networks, and how well they rank trained ones.",
    ),
    "latency": ("nasbench.cli.latency:latency", "Measure the latency of networks on this machine, and store it."),
    "verify": ("nasbench.cli.verify:verify", "Train a sample of rows again and compare with what is stored."),
    "doctor": ("nasbench.cli.doctor:doctor", "Describe this machine; check whether searches work."),
    "check": ("nasbench.cli.upkeep:check", "Verify checksums, schema and counts of results files."),
    "repair": ("nasbench.cli.upkeep:repair", "Recover all sound rows of a damaged results file."),
    "migrate": ("nasbench.cli.upkeep:migrate", "Migrate results files of earlier versions to this version's schema."),
    "merge": ("nasbench.cli.combine:merge", "Merge results files: identical children once."),
    "diff": ("nasbench.cli.combine:diff", "Compare two results files child by child, to the bit."),
    "export": (
        "nasbench.cli.combine:export",
        "Write children, curves, runs or measurements as parquet, CSV or JSON lines.",
    ),
    "import": (
        "nasbench.cli.importing:import_",
        "Import tables and searches: NAS-Bench-101 and 201, CSV, JSON, Optuna, ...",
    ),
    "rerun": ("nasbench.cli.rerun:rerun", "Start a stored run again, into another file."),
    "report": ("nasbench.cli.report:report", "Write a report: one HTML page, or Markdown."),
    "compare": (
        "nasbench.cli.analyses:compare",
        "Compare strategies: best so far by budget, test accuracy.",
    ),
    "checklist": ("nasbench.cli.checklist:checklist", "The NAS best-practices checklist, answered from the data."),
    "curves": ("nasbench.cli.analyses:curves", "Draw the learning curves of the children."),
    "cost": ("nasbench.cli.analyses:cost", "Cost in device-hours and USD, also to reach a target."),
    "claims": (
        "nasbench.cli.analyses:claims",
        "Test a claim of the lecture notes on random search.",
    ),
    "pareto": ("nasbench.cli.analyses:pareto", "Fronts of two or three objectives, hypervolumes, attainment."),
    "ranks": ("nasbench.cli.statistics:ranks", "Average ranks over several tables, with critical differences."),
    "power": ("nasbench.cli.inference:power", "Seeds that it takes to find a difference, from the spreads of runs."),
    "bayesian": ("nasbench.cli.inference:bayesian", "Probabilities of better, equivalent and worse over tables."),
    "speedup": ("nasbench.cli.inference:speedup", "Less budget than random search to reach its final score."),
    "profiles": ("nasbench.cli.statistics:profiles", "The share of runs that end within each regret."),
    "targets": ("nasbench.cli.statistics:targets", "Budget needed to reach an accuracy, by Kaplan-Meier."),
    "regret": ("nasbench.cli.statistics:regret", "Mean distance below the best over a search's whole budget."),
    "correlations": ("nasbench.cli.statistics:correlations", "Do cheap scores, or seeds, rank architectures alike?"),
    "transfer": (
        "nasbench.cli.transfer:transfer",
        "Count and train networks of any size, made of given cells.",
    ),
    "draw": ("nasbench.cli.figures:draw", "Draw an architecture, or the network made of its cells."),
    "reproduce": ("nasbench.cli.figures:reproduce", "Draw a figure of the lecture notes, with the data behind it."),
    "train": ("nasbench.cli.model_making:train", "Train one architecture, and save the network in a file."),
    "predict": ("nasbench.cli.model_use:predict", "Predict the classes of images with a trained network."),
    "evaluate": ("nasbench.cli.model_use:evaluate", "Score a trained network on labelled images, per class."),
    "export-model": (
        "nasbench.cli.model_making:export_model",
        "Export a trained network to ONNX or .pt2, and check it.",
    ),
    "spaces": ("nasbench.cli.catalog:spaces", "List search spaces."),
    "strategies": ("nasbench.cli.catalog:strategies", "List search strategies, or show one's options."),
    "protocols": ("nasbench.cli.catalog:protocols", "List training protocols, or show one's fields."),
    "data": ("nasbench.cli.data:data", "Show a data set, with what was left out; write one as a folder of images."),
    "devices": ("nasbench.cli.catalog:devices", "Print the price table: USD per device-hour, dated, with sources."),
    "cite": ("nasbench.cli.cite:cite", "Print BibTeX of the suite, and of what results files used."),
    "config": ("nasbench.cli.config:config", "Show the configuration in effect, and where each value comes from."),
    "completion": ("nasbench.cli.catalog:completion", "Print the shell completion script."),
}


# Group -> its title in the help and its commands. Those of `results` and `analyze` can be called with and without the
# group's name.
SECTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "search": ("Search", ("run", "resume", "status", "suite", "rerun", "verify", "score", "transfer")),
    "models": ("Trained networks", ("train", "predict", "evaluate", "export-model", "latency")),
    "tables": ("Complete tables", ("bench", "leaderboard", "tables", "table", "surrogate", "replay")),
    "results": (
        "Results files (also: nasbench results COMMAND)",
        ("query", "show", "check", "repair", "migrate", "merge", "diff", "export", "import"),
    ),
    "analyze": (
        "Analyses (also: nasbench analyze COMMAND)",
        (
            *("compare", "report", "checklist", "curves", "cost", "pareto", "claims", "ranks", "profiles", "targets"),
            *("regret", "correlations", "power", "bayesian", "speedup", "draw", "reproduce"),
        ),
    ),
    "machine": (
        "This machine, and what there is",
        ("doctor", "data", "spaces", "strategies", "protocols", "devices", "cite", "config", "completion"),
    ),
}
GROUPS = {
    "results": "Commands on results files: query, check, repair, merge, export, import, ...",
    "analyze": "Analyses of results files: compare, cost, pareto, ranks, ...",
}


# Errors of the disk and not of the suite: no space, quota used up, limit on a file's size (ulimit -f), input/output error.
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


# Errors of a name that the user gave.
_NAME_ERRORS = (
    *(
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.EACCES,
        errno.EPERM,
        errno.ENAMETOOLONG,
        errno.ELOOP,
        errno.EROFS,
    ),
    *(errno.EEXIST, errno.ENXIO, errno.EINVAL, errno.ENODEV, errno.EXDEV, errno.ETXTBSY),
)


class _Raised(Exception):
    """An exception of a kind that click would turn into an end without a word: a pipe that broke, or ended."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class _Interrupted(Exception):
    """Ctrl-C or SIGTERM. Click would print an empty line after a KeyboardInterrupt."""


class LazyGroup(click.Group):
    """A click group that imports a command only when it is used.

    Args:
        sections: keys of `SECTIONS` whose commands it has.
    """

    def __init__(self, *args: Any, sections: Sequence[str] = tuple(SECTIONS), **named: Any) -> None:
        super().__init__(*args, **named)
        self.sections = tuple(sections)

    @property
    def _outermost(self) -> bool:
        return len(self.sections) == len(SECTIONS)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the names of all commands, in the order of the help.

        Args:
            ctx: not used.

        Returns:
            The names; those of the groups and "help" too in the outermost group.
        """
        names = [name for section in self.sections for name in SECTIONS[section][1]]
        return [*names, *GROUPS, "help"] if self._outermost else names

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command.

        Args:
            ctx: context of the group.
            cmd_name: name of the command.

        Returns:
            The command; None if this group has no such command.
        """
        if cmd_name not in self.list_commands(ctx):
            return None
        if cmd_name in GROUPS:
            group = LazyGroup(
                cmd_name, sections=[cmd_name], help=GROUPS[cmd_name], invoke_without_command=True, callback=_help
            )
            return with_verbosity(group)
        if cmd_name == "help":
            return help_
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return with_verbosity(with_outputs(command))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command of a context.

        Args:
            ctx: context of the group.

        Returns:
            What the command returned.

        Raises:
            _Raised: when a pipe broke, or ended, that is no standard stream.
            OSError: other errors of the system, as they are.
            _Interrupted: after Ctrl-C or SIGTERM.
        """
        try:
            return super().invoke(ctx)
        except (EOFError, OSError) as error:
            if isinstance(error, OSError) and error.errno != errno.EPIPE:
                raise
            raise _Raised(error) from error
        except KeyboardInterrupt as interrupt:
            raise _Interrupted(is_explained(interrupt)) from interrupt

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments name.

        Args:
            ctx: context of the group.
            args: arguments, the command's name first.

        Returns:
            Name and command, and the arguments that are left for it.

        Raises:
            UnknownName: when there is no such command; the message lists all names.
        """
        names = self.list_commands(ctx)
        if args and not args[0].startswith("-") and args[0] not in names:
            from nasbench.errors import UnknownName

            raise UnknownName("command", args[0], names)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands into the help, by section, with one line each.

        Args:
            ctx: not used.
            formatter: writes the help.
        """
        for section in self.sections:
            title, names = SECTIONS[section]
            with formatter.section(title if self._outermost else "Commands"):
                formatter.write_dl([(name, COMMANDS[name][1]) for name in names])


def _help() -> None:
    """Print the help of a group that is called without a command."""
    context = click.get_current_context()
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@click.command("help")
@click.argument("names", nargs=-1, metavar="[COMMAND]...")
def help_(names: Sequence[str]) -> None:
    """Print the help of a command, as `nasbench COMMAND --help` does."""
    context = click.get_current_context().find_root()
    command: click.Command = nasbench
    for name in names:
        if not isinstance(command, click.Group):
            raise click.UsageError(f"{context.command_path} has no commands; leave {name!r} out")
        found = command.resolve_command(context, [name])[1]
        assert found is not None
        context, command = click.Context(found, info_name=name, parent=context), found
    click.echo(command.get_help(context))


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(__version__, prog_name="nasbench")
def nasbench() -> None:
    """Run neural architecture searches under fixed budgets, and compare them fairly.

    \b
    Example:
      nasbench run --space nasnet:blocks=2 --strategy random --budget "6 children" -o results/first.h5
      nasbench query results/first.h5 --sort val_acc --head 3
      nasbench help run
    """
    click.get_current_context().color = wants_colour()  # the commands inherit it
    _help()


with_verbosity(nasbench)


def main() -> None:
    """Run the command line, and exit with its code.

    An error of nasbench is printed as one line, and the exit code is 2. Ctrl-C and SIGTERM give 130 and a line.

    Raises:
        OSError: when a system call fails for another reason than a name, or a full or failing disk.
    """
    with guarded_streams():
        _run()


def _run() -> None:
    try:
        with termination_as_interrupt(here_only=True):
            code = nasbench.main(standalone_mode=False)
        sys.stdout.flush()  # here, so that a full disk is one line, and not an exception while Python ends
        sys.exit(code if isinstance(code, int) else 0)
    except NasbenchError as error:
        complain(str(error), lines=isinstance(error, DataFaults))
        sys.exit(error.exit_code)
    except click.UsageError as error:
        where = f" (see: {error.ctx.command_path} --help)" if error.ctx is not None else ""
        complain(error.format_message() + where)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        complain(error.format_message())
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort, _Interrupted) as interrupt:
        if interrupt.args != (True,):
            click.echo("interrupted before its end; outputs are written whole or not at all. Call it again.", err=True)
        sys.exit(130)
    except MemoryError as error:
        complain(f"the memory is exhausted ({error or 'no more is known'}): use less data at once, or smaller images")
        sys.exit(2)
    except OSError as error:
        if blamed_part(error) is not None:
            _complain_of_a_part(error)
        if error.errno in _NAME_ERRORS and error.filename is not None:
            complain(
                f"{shortened(str(error.filename), 200)!r}: {error.strerror}; give the name of another file or folder"
            )
            sys.exit(2)
        if error.errno not in _DISK_ERRORS:
            raise
        drop_output()  # the rest of the buffer cannot be written either
        place = repr(error.filename) if error.filename else "standard output or a file"
        complain(f"{place} cannot be written: {error.strerror}; free some space or write elsewhere, and call again")
        sys.exit(2)
    except _Raised as wrapper:
        if blamed_part(wrapper.error) is None:
            raise wrapper.error from None
        _complain_of_a_part(wrapper.error)
    except Exception as error:
        if blamed_part(error) is None:
            raise
        _complain_of_a_part(error)


def _complain_of_a_part(error: Exception) -> NoReturn:
    """Print whose code raised an exception, and exit."""
    try:
        said = f"the traceback is in {_written_traceback(error)}"
    except OSError as failed:
        said = f"the traceback could not be written ({failed.strerror})"
    complain(f"{blamed_part(error)} raised {_at_its_place(error)}; {said}")
    sys.exit(2)


def _at_its_place(error: Exception) -> str:
    """Name, message and place of an exception in one line."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    message = shortened(" ".join(str(error).split()), 200)
    return f"{type(error).__name__}{f': {message}' if message else ''} ({last.filename}, line {last.lineno})"


def _written_traceback(error: Exception) -> str:
    """Write the whole traceback into a file of its own; return its name."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="nasbench-", suffix="-traceback.txt", delete=False, encoding="utf-8", errors="backslashreplace"
    ) as file:
        file.write("".join(traceback.format_exception(type(error), error, error.__traceback__)))
    return file.name
