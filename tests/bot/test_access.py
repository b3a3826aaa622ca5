"""Who may run a command, in chat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec
import pytest
import trio
import trio.testing

from hachat import Context, Handler, command
from hachat.bot.access import LIFE, RULED_OUT, UNKNOWN, Access, TransientAudit, TransientGroups
from hachat.bot.handlers.help import Help
from hachat.core.access import AccessSettings, Rule
from hachat.core.errors import StoreUnavailable
from hachat.core.messages import Message, Room, User
from hachat.store.audit import Audit
from hachat.store.groups import Groups, Key, Membership
from hachat.store.keys import Keys
from hachat.store.link import Link
from tests.bot.stage import Stage

NOT_YOURS = "You may not do that: it is for dev, ops."
SETTINGS = AccessSettings(
    admins=("test/root",),
    groups={"ops": ("test/ada",)},
    rules=(
        Rule(effect="allow", user="test/ci", command="deploy.ship"),
        Rule(effect="deny", room="test/#public"),
    ),
)


class Deploy(Handler):
    """Ships applications."""

    @command(r"deploy (?P<app>\S+)", groups={"ops", "dev"})
    async def ship(self, ctx: Context, app: str) -> None:
        """deploy APP -- ship APP"""
        await ctx.reply(f"shipping {app}")

    @command("status")
    async def status(self, ctx: Context) -> None:
        """status -- for all"""
        await ctx.reply("fine")


class AwayGroups(TransientGroups):
    """Groups that can be out of reach; `reads` counts how often they were asked."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.reads = 0

    async def read(self) -> Mapping[Key, Membership]:
        """Read, unless they are away."""
        self.reads += 1
        if self.away:
            raise StoreUnavailable("no answer")
        return await super().read()


class AwayAudit(TransientAudit):
    """A trail on which nothing can be noted."""

    async def note(self, did: str, by: str, **facts: str) -> None:
        """Fail."""
        raise StoreUnavailable("no answer")


def make(user: str) -> Message:
    """Return a message from somebody."""
    return Message("M1", Room("test", "#room"), User(user), "hachat deploy web", at=0.0)


@pytest.mark.parametrize(
    ("user", "room", "said"),
    [
        ("root", "test/#room", "shipping web"),
        ("root", "test/#public", "shipping web"),
        ("ada", "test/#room", "shipping web"),
        ("ada", "test/#public", RULED_OUT),
        ("ci", "test/#public", "shipping web"),
        ("bob", "test/#room", NOT_YOURS),
        ("ada", "other/#room", NOT_YOURS),
    ],
)
async def test_who_may_deploy(user: str, room: str, said: str) -> None:
    """Admins always, then as the first rule says, then members; the others are told for whom it is."""
    stage = Stage(Deploy(), access=Access(SETTINGS))

    assert await stage.say("hachat deploy web", user=user, room=room) == [said]


async def test_what_is_for_all_is_for_all() -> None:
    """A command without groups needs none, but a rule may deny it."""
    stage = Stage(Deploy(), access=Access(SETTINGS))

    assert await stage.say("hachat status", user="bob") == ["fine"]
    assert await stage.say("hachat status", user="bob", room="test/#public") == [RULED_OUT]


async def test_members_that_were_added_in_chat() -> None:
    """On the node where somebody is added or removed, that holds for the next command."""
    access = Access(SETTINGS)
    stage = Stage(Deploy(), access=access)

    for what, said in (("add", "shipping web"), ("remove", NOT_YOURS)):
        await change(access, what, "dev", "test/bob")
        assert await stage.say("hachat deploy web", user="bob") == [said]


async def change(access: Access, what: str, group: str, user: str) -> None:
    """Add somebody to a group, or remove them."""
    how: Literal["add", "remove"] = "add" if what == "add" else "remove"
    await access.change(how, group, user, "test/root")


async def test_a_group_of_chat_makes_no_admin() -> None:
    """Whoever could write into Redis is not an admin by that."""
    access = Access(SETTINGS)
    await access.change("add", "admins", "test/bob", "test/bob")

    assert await access.judge(make("bob"), "auth.add", "auth add x y", {"admins"}) != ""


async def test_other_nodes_follow_within_a_heartbeat(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """What a node has read holds so long, and costs no round trip meanwhile."""
    groups = AwayGroups()
    here, there = Access(SETTINGS, groups), Access(SETTINGS, groups)
    ask = (make("bob"), "deploy.ship", "deploy web", {"ops", "dev"})
    for _ in range(3):
        assert await there.judge(*ask) == NOT_YOURS
    assert groups.reads == 1

    await here.change("add", "dev", "test/bob", "test/root")
    assert await here.judge(*ask) == ""
    await trio.sleep(LIFE)
    assert await there.judge(*ask) == ""


async def test_what_is_unknown_is_denied(autojump_clock: trio.testing.MockClock) -> None:
    """While Redis is away only those are members of whom the settings say so, and all others are told why."""
    groups = AwayGroups()
    access = Access(SETTINGS, groups)
    await access.change("add", "dev", "test/bob", "test/root")
    stage = Stage(Deploy(), access=access)
    assert await stage.say("hachat deploy web", user="bob") == ["shipping web"]

    groups.away = True
    await trio.sleep(LIFE)
    assert await stage.say("hachat deploy web", user="bob") == [UNKNOWN]
    assert await stage.say("hachat deploy web", user="ada") == ["shipping web"]
    assert await stage.say("hachat status", user="bob") == ["fine"]

    groups.away = False
    assert await stage.say("hachat deploy web", user="bob") == ["shipping web"]


async def test_what_cannot_be_noted_is_not_done() -> None:
    """A command for groups leaves a trace or is not run; one for all needs none."""
    stage = Stage(Deploy(), access=Access(SETTINGS, audit=AwayAudit()))

    assert await stage.say("hachat deploy web", user="ada") == [UNKNOWN]
    assert await stage.say("hachat deploy web", user="bob") == [NOT_YOURS]
    assert await stage.say("hachat status", user="bob") == ["fine"]


async def test_who_ran_what_and_who_was_denied(link: Link, keys: Keys) -> None:
    """The audit trail has both, with where and which message; commands for all are not in it."""
    access = Access(SETTINGS, Groups(link, keys), Audit(link, keys))
    stage = Stage(Deploy(), access=access)
    await stage.say("hachat status", user="bob")
    await stage.say("hachat deploy web", user="ada")
    await stage.say("hachat deploy web", user="bob")

    facts = {"what": "deploy web", "route": "deploy.ship", "room": "test/#room"}
    assert [deed.facts for deed in await Audit(link, keys).read(10)] == [
        {"did": "denied", "by": "test/bob", **facts, "id": "M3"},
        {"did": "ran", "by": "test/ada", **facts, "id": "M2"},
    ]


async def test_whoever_speaks_as_another_has_their_rights_and_is_named() -> None:
    """An admin who speaks as somebody else may do what that one may, and the trail tells who both are."""
    audit = TransientAudit()
    access = Access(SETTINGS, audit=audit)
    as_bob = msgspec.structs.replace(make("bob"), by="test/root")
    as_ada = msgspec.structs.replace(make("ada"), by="test/root")

    assert await access.check(as_bob, "deploy.ship", "deploy web", {"ops"})
    assert not await access.check(as_ada, "deploy.ship", "deploy web", {"ops"})
    assert not await access.note(as_ada, "deploy.ship", "deploy web")

    assert [(deed["did"], deed["by"]) for deed in audit.deeds] == [
        ("denied", "test/root as test/bob"),
        ("ran", "test/root as test/ada"),
    ]


class Vault(Handler):
    """Has commands with secrets in them."""

    @command(r"unlock (?P<box>\S+) (?P<password>\S+)( (?P<why>.+))?", groups={"ops"})
    async def unlock(self, ctx: Context, box: str, password: str, why: str = "") -> None:
        """unlock BOX PASSWORD [WHY] -- open it"""
        await ctx.reply(f"{password} {why}")

    @command(r"burn (?P<secret>\S+)", confirm=True)
    async def burn(self, ctx: Context, secret: str) -> None:
        """burn SECRET -- forget it"""

    @command("seal", groups={"ops"})
    async def seal(self, ctx: Context, *, box: str = "all", api_token: str = "") -> None:
        """seal -- close it"""
        await ctx.reply(f"{box} {api_token}")


@pytest.mark.parametrize(
    ("said", "noted"),
    [
        ("unlock 1 sesame", "unlock 1 ****"),
        ("unlock e e because of e", "unlock e ****"),
        ("seal --box 3 --api-token sesame", "seal ****"),
        ("seal --box 3", "seal --box 3"),
        ("seal -a sesame", "seal ****"),
        ("seal \N{EM DASH}api-token sesame -b 3", "seal ****"),
    ],
)
@pytest.mark.parametrize("user", ["ada", "bob"])
async def test_secrets_are_not_noted(said: str, noted: str, user: str) -> None:
    """Nothing of a command stands in the trail from the first one on, by its group's or its option's name; denied or not."""
    audit = TransientAudit()
    stage = Stage(Vault(), access=Access(SETTINGS, audit=audit))

    await stage.say(f"hachat {said}", user=user)

    assert [deed["what"] for deed in audit.deeds] == [noted]


async def test_secrets_are_not_asked_about() -> None:
    """The question whether a command is meant is for the whole room, and shows no more than the trail."""
    (question,) = await Stage(Vault()).say("hachat burn sesame")

    assert question == 'Really "burn ****"? (yes or no)'


class Demolition(Handler):
    """Asks before it acts, and while it does."""

    @command(r"raze (?P<what>\w+)", groups={"ops"}, confirm=True)
    async def raze(self, ctx: Context, what: str) -> None:
        """raze WHAT -- tear it down"""
        if await ctx.confirm("Sure?"):
            await ctx.reply(f"{what} is gone")


@pytest.mark.parametrize(
    ("answers", "did"), [(["no"], []), (["yes", "no"], ["ran"]), (["yes", "yes"], ["ran"])]
)
async def test_what_is_run_is_noted_once(answers: list[str], did: list[str]) -> None:
    """When it begins, and not when somebody is only asked whether it should, or what else to do."""
    audit = TransientAudit()
    stage = Stage(Demolition(), access=Access(SETTINGS, audit=audit))

    for line in ("hachat raze it", *answers):
        await stage.say(line, user="ada")

    assert [deed["did"] for deed in audit.deeds] == did


async def test_what_cannot_be_noted_is_asked_about_and_not_run() -> None:
    """Whoever wants it is told."""
    stage = Stage(Demolition(), access=Access(SETTINGS, audit=AwayAudit()))

    await stage.say("hachat raze it", user="ada")

    assert await stage.say("yes", user="ada") == [UNKNOWN]


async def test_nobody_is_pointed_to_what_they_may_not_run() -> None:
    """Who may is."""
    stage = Stage(Deploy(), access=Access(SETTINGS))

    (to_bob,) = await stage.say("hachat deplyo web", user="bob")
    (to_ada,) = await stage.say("hachat deplyo web", user="ada")

    assert to_bob == 'I do not know "deplyo web". Try "hachat help".'
    assert to_ada == 'I do not know "deplyo web". Did you mean "hachat deploy APP"?'


async def test_help_shows_what_one_may_run() -> None:
    """Nobody is shown a command that would be denied, and to ask leaves no trace."""
    audit = TransientAudit()
    stage = Stage(Deploy(), Help(), access=Access(SETTINGS, audit=audit))

    assert await stage.say("hachat help ship", user="ada") == ["hachat deploy APP - ship APP"]
    assert await stage.say("hachat help ship", user="bob") == ["No command mentions ship."]
    assert audit.deeds == []


async def test_settings_may_change() -> None:
    """What is read again holds for the next command."""
    access = Access(SETTINGS)
    stage = Stage(Deploy(), access=access)
    access.settings = AccessSettings(groups={"ops": ("test/bob",)})

    assert await stage.say("hachat deploy web", user="ada") == [NOT_YOURS]
    assert await stage.say("hachat deploy web", user="bob") == ["shipping web"]
