"""The catalogue as data: what it promises, what makes a build another build."""

import shutil

import pytest

from hosting import catalogue, protocols
from hosting.errors import InvalidValue
from hosting.protocols import Settings

SLUGS = [entry.slug for entry in catalogue.entries()]


@pytest.fixture
def shelf(tmp_path):
    """A copy of two folders of the catalogue, to change."""
    for name in ("_server", "echo"):
        shutil.copytree(catalogue.EXAMPLES / name, tmp_path / name)
    return tmp_path


def fingerprint(shelf):
    return catalogue.recipe(catalogue.find("echo", folder=shelf)).fingerprint


@pytest.mark.parametrize("slug", ["", ".", "..", "_server", "echo/", "../examples/echo", "nothing"])
def test_a_slug_from_outside_never_becomes_a_path(slug):
    assert catalogue.find(slug) is None


def test_the_documented_example_and_the_one_for_tests_are_there():
    assert {"echo", "text-generator"} <= set(SLUGS)


@pytest.mark.parametrize("slug", SLUGS)
def test_every_entry_is_complete(slug):
    entry = catalogue.find(slug)

    assert entry.title
    assert entry.description
    assert entry.sample
    assert entry.picture.startswith("<svg")
    assert entry.command in entry.commands
    assert (entry.folder / "Dockerfile").is_file()
    assert (entry.folder / "README.md").is_file()
    assert set(entry.default_options) == {option["name"] for option in entry.options}


@pytest.mark.parametrize("slug", SLUGS)
def test_every_entry_is_something_its_protocol_can_run(slug):
    entry = catalogue.find(slug)
    protocol = protocols.get(entry.protocol)
    settings = Settings(port=entry.port, command=entry.command, options=entry.default_options)

    assert protocol.query_path(settings) == f"/{entry.command}"
    assert protocol.environment(settings)["RW_PORT"] == str(entry.port)


def test_the_same_files_elsewhere_are_the_same_build(shelf):
    assert fingerprint(shelf) == fingerprint(catalogue.EXAMPLES)


@pytest.mark.parametrize("changed", ["echo/server.py", "echo/Dockerfile", "_server/fields.py"])
def test_a_change_in_any_file_of_a_build_is_another_build(shelf, changed):
    before = fingerprint(shelf)
    with (shelf / changed).open("a") as file:
        file.write("\n")

    assert fingerprint(shelf) != before


@pytest.mark.parametrize("line", ['packages = ["libfoo"]', 'build_steps = [["true"]]'])
def test_a_change_in_how_it_is_built_is_another_build(shelf, line):
    before = fingerprint(shelf)
    recipe = shelf / "echo" / "recipe.toml"
    recipe.write_text(f"{line}\n{recipe.read_text()}")

    assert fingerprint(shelf) != before


@pytest.mark.parametrize("changed", ["README.md", "sample.json", "picture.svg"])
def test_what_only_people_see_does_not_make_another_build(shelf, changed):
    before = fingerprint(shelf)
    with (shelf / "echo" / changed).open("a") as file:
        file.write(" ")

    assert fingerprint(shelf) == before


def test_a_requirement_keeps_the_hashes_on_the_lines_below_it(shelf):
    (shelf / "echo" / "requirements.txt").write_text(
        "# made by hand\nsix==1.17.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n\n"
    )
    recipe = shelf / "echo" / "recipe.toml"
    recipe.write_text(f'requirements = "requirements.txt"\n{recipe.read_text()}')

    built = catalogue.recipe(catalogue.find("echo", folder=shelf))

    assert built.requirements == ("six==1.17.0 --hash=sha256:aa --hash=sha256:bb",)


@pytest.mark.parametrize(
    ("command", "options", "field"),
    [
        ("sing", {}, "command"),
        ("", {}, "command"),
        ("echo", {"colour": "red"}, "options"),
        ("echo", {"mood": "sad"}, "options"),
        ("echo", {"mood": ["plain"]}, "options"),
        ("echo", {"fail_setup": "yes"}, "options"),
        ("echo", {"setup_seconds": 601}, "options"),
        ("echo", {"setup_seconds": True}, "options"),
    ],
)
def test_what_the_model_would_refuse_while_loading_is_refused_before(command, options, field):
    with pytest.raises(InvalidValue) as raised:
        catalogue.check_choices(catalogue.find("echo"), command=command, options=options)

    assert raised.value.field == field


@pytest.mark.parametrize("slug", SLUGS)
def test_an_entry_s_own_defaults_are_choices_it_takes(slug):
    entry = catalogue.find(slug)

    catalogue.check_choices(entry, command=entry.command, options=entry.default_options)
