"""Links in the documentation lead somewhere, and what it tells people to type exists."""

import click
import pytest

from manager.commands.fleet import cli as fleet_cli
from manager.commands.tools import cli as tools_cli
from tests.support.doc_commands import ROOT, make_verbs, mentions, pages, problem_of, relative_links

PROGRAMS = {"atrader-manager": fleet_cli, "atrader": tools_cli}


def shown(page):
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", pages(), ids=shown)
def test_every_relative_link_leads_to_a_file(page):
    missing = [link for link, target in relative_links(page) if not target.exists()]
    assert not missing


@pytest.mark.parametrize("page", pages(), ids=shown)
def test_every_command_in_a_page_exists_with_its_options(page):
    problems = []
    for mention in mentions(page):
        if mention.program == "make":
            verbs = [word for word in mention.arguments if word.isalpha() and word.islower()]
            wrong = [f"no verb {verb!r} in the Makefile" for verb in verbs if verb not in make_verbs()]
        else:
            problem = problem_of(PROGRAMS[mention.program], mention.arguments)
            wrong = [problem] if problem else []
        problems += [f"{mention}: {text}" for text in wrong]
    assert not problems, "\n".join(problems)


def test_the_search_finds_commands_in_the_readme():
    found = [mention.program for mention in mentions(ROOT / "README.md")]
    assert {"atrader-manager", "atrader", "make"} <= set(found)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["status", "--json"], None),
        (["-C", "DIR", "start", "[NAME]", "..."], None),
        (["VERB"], None),
        (["fly"], "there is no command 'fly'"),
        (["status", "--jason"], "No such option '--jason'."),
    ],
)
def test_a_command_that_does_not_exist_is_found_out(arguments, expected):
    problem = problem_of(fleet_cli, arguments)
    assert (problem or "").split(" Did you")[0] == (expected or "")


def every_command(group, context):
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield group, name, command
        if isinstance(command, click.Group):
            yield from every_command(command, context)


@pytest.mark.parametrize("program", [fleet_cli, tools_cli], ids=lambda program: program.name)
def test_every_command_has_a_help_text_and_its_list_begins_it(program):
    for group, name, command in every_command(program, click.Context(program)):
        assert command.help, name
        assert command.name == name
        shown = dict(listed(group))[name]
        assert " ".join(command.help.split()).startswith(shown), name


def listed(group):
    """Return name and text of each line in a group's list of commands."""
    formatter = click.HelpFormatter(width=500)
    group.format_commands(click.Context(group), formatter)
    lines = formatter.getvalue().splitlines()[1:]
    return [tuple(line.split(maxsplit=1)) for line in lines]


@pytest.mark.parametrize(("name", "default"), [("optimise", "0.7"), ("analyse", "as the search was begun")])
def test_the_help_says_by_which_windows_a_search_is_judged_when_nothing_is_said(name, default):
    command = tools_cli.get_command(click.Context(tools_cli), name)
    assert command is not None
    assert f"or a share (0.7 or 70%); default: {default}." in " ".join(command.get_help(click.Context(command)).split())


def test_every_page_of_the_documentation_is_linked_from_another():
    linked = {target for page in pages() for _, target in relative_links(page) if target != page}
    assert not [shown(page) for page in pages() if page.is_relative_to(ROOT / "docs") and page not in linked]
