"""``completion``: the script that makes a shell complete our commands."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    For bash, in ~/.bashrc: eval "$(atrader-manager completion bash)" and eval "$(atrader completion bash)".
    """
    from click.shell_completion import get_completion_class

    root = click.get_current_context().find_root()
    name = root.info_name or "atrader-manager"
    kind = get_completion_class(shell)
    assert kind is not None
    variable = f"_{name.upper().replace('-', '_')}_COMPLETE"
    click.echo(kind(root.command, {}, name, variable).source())
