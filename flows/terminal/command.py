"""What every command does: it knows whether JSON is wanted, and how its options are typed.

What is refused is refused in JSON, too, so whether that is wanted has to be known before. The
command's own parser says so: the text "--json" may also be the value of another option, or a name.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from glassplate.codecs.errors import GlassplateError, OptionName

JsonOption = Annotated[
    bool, typer.Option("--json", help="JSON lines on stdout and nothing else there.")
]


class Command(TyperCommand):
    """A command whose output knows, before its options are checked, whether it is in JSON.

    Where an error is about an option, the command says what is typed for it.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        root = ctx.find_root()
        root.obj.as_json = bool(root.params.get("as_json")) or asks_for_json(self, ctx, args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except GlassplateError as error:
            if isinstance(error.subject, OptionName):
                typed = (one.opts[0] for one in self.params if one.name == error.subject)
                error.subject = next(typed, error.subject)
            raise


def asks_for_json(command: Any, ctx: Any, args: list[str]) -> bool:
    """Whether a line says `--json` as the command declares it; the rest of it may be wrong."""
    lenient = type(ctx)(
        command,
        parent=ctx.parent,
        info_name=ctx.info_name,
        help_option_names=ctx.help_option_names,
        resilient_parsing=True,
        ignore_unknown_options=True,
        allow_interspersed_args=True,
    )
    values, _, _ = command.make_parser(lenient).parse_args(list(args))
    return bool(values.get("as_json"))
