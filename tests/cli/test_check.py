"""`hachat check`: every fault at once, or what is in force."""

from __future__ import annotations

import tomllib

from tests.cli.running import Place


def write_handler(place: Place, source: str) -> None:
    """Put a handler beside the settings."""
    folder = place.file.parent / "handlers"
    folder.mkdir()
    (folder / "own.py").write_text(source)


def test_what_is_in_force_is_printed(place: Place) -> None:
    """As TOML, from the file, the environment and the defaults, with the sections of the adapters."""
    place.configure('[chat.irc]\nhost = "irc.example"\n[chat.console]\n')

    done = place.run("check", env={"HACHAT__QUEUE__DEPTH": "77"})

    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith(f"# {place.file}, ")
    printed = tomllib.loads(done.stdout)
    assert printed["cluster"] == place.keys.cluster
    assert printed["queue"]["depth"] == 77
    assert printed["lease"]["ttl"] == 5.0
    assert printed["chat"]["irc"]["host"] == "irc.example"
    assert printed["chat"]["irc"]["tls_verify"] is True


def test_what_is_printed_is_a_settings_file(place: Place) -> None:
    """Read again, it says the same: texts and lists of any kind come through."""
    place.configure('[bot]\nname = "Bö\\"t\\n"\naliases = ["!", "#"]\n')
    first = place.run("check")
    assert first.exit_code == 0, first.stderr
    printed = tomllib.loads(first.stdout)
    assert (printed["bot"]["name"], printed["bot"]["aliases"]) == ('Bö"t\n', ["!", "#"])

    place.file.write_text(first.stdout)

    assert place.run("check").stdout == first.stdout


def test_rules_are_printed_as_they_are_read(place: Place) -> None:
    """Tables in a list come through, too."""
    rules = '[[access.rules]]\neffect = "deny"\nroom = "irc/#a\\"b"\n'
    place.configure(f'[access.groups]\nops = ["irc/ada"]\n{rules}')
    first = place.run("check")
    assert first.exit_code == 0, first.stderr
    access = tomllib.loads(first.stdout)["access"]
    assert access["groups"] == {"ops": ["irc/ada"]}
    assert access["rules"][0]["room"] == 'irc/#a"b'

    place.file.write_text(first.stdout)

    assert place.run("check").stdout == first.stdout


def test_secrets_are_masked(place: Place) -> None:
    """No password is printed, wherever it stands."""
    place.configure(
        'password = "hunter2"\n[web]\ntoken = "hunter2"\n[chat.irc]\nhost = "x"\npassword = "hunter2"\n'
    )

    done = place.run("check")

    assert done.exit_code == 0, done.stderr
    assert "hunter2" not in done.output
    assert done.stdout.count("****") >= 3


def test_all_faults_are_reported_at_once(place: Place) -> None:
    """Settings, adapters and handlers: one report, also where the settings alone would not do."""
    place.configure("[lease]\nrenew = 4\n[chat.icr]\n")
    write_handler(place, "import no_such_module\n")

    done = place.run("check")

    assert done.exit_code == 2
    for words in ("lease", "chat.icr", "no_such_module"):
        assert words in done.stderr
    assert done.stdout == ""


def test_what_two_handlers_want_is_a_warning(place: Place) -> None:
    """Both would answer; and that a language is not spoken is one, too."""
    place.configure('[bot]\nlanguage = "fr"\n')
    write_handler(place, RIVALS)

    done = place.run("check")

    assert done.exit_code == 0
    assert "one.go and two.go are both run for 'tea'" in done.stderr
    assert "bot.language: fr" in done.stderr


RIVALS = """
from hachat import Handler, command

class One(Handler):
    @command("tea")
    async def go(self, ctx): ...

class Two(Handler):
    @command("tea")
    async def go(self, ctx): ...
"""


def test_what_promises_less_is_a_warning(place: Place) -> None:
    """It is told on standard error, and is no fault."""
    place.file.write_text('node = "n1"\n[redis]\nsentinels = ["a:1"]\nreplicas = 0\n')

    done = place.run("check")

    assert done.exit_code == 0
    assert done.stderr.startswith("warning: redis: replicas 0 with Sentinels")
    assert "warning" not in done.stdout


def test_what_follows_from_other_settings_is_printed(place: Place) -> None:
    """The number in force is shown, not that none was set."""
    place.file.write_text('node = "n1"\n[redis]\nsentinels = ["a:1"]\n')

    done = place.run("check")

    assert (done.exit_code, done.stderr) == (0, "")
    assert tomllib.loads(done.stdout)["redis"]["replicas"] == 1
