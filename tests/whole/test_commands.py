"""The built-in commands, said to real daemons: what they do is done, and what they tell is so."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import trio

from hachat import __version__
from hachat.core.messages import Job
from hachat.store.commits import Later
from hachat.store.console import ConsoleClient
from hachat.store.jobs import Jobs
from hachat.store.rooms import Rooms
from tests.chat.ngircd import run_ngircd, visit
from tests.store.letters import WHY, bury, reply
from tests.waiting import until
from tests.whole.cluster import HASTY, Cluster, run_cluster

PAIR = ("node-1", "node-2")
ADMINS = '[access]\nadmins = ["console/root", "irc/anna!*"]\n'
DENIED = "You may not do that: it is for admins."


async def tell(cluster: Cluster, text: str, user: str = "root", *, private: bool = True) -> str:
    """Say something on a console, alone with the bot or not, and return what it says until that has been dealt with."""
    room = f"alone-{user}" if private else "ops"
    client = ConsoleClient(cluster.link, cluster.keys, room, user, private=private)
    with trio.fail_after(40.0):
        async with client.ask(text) as replies:
            return "\n".join([reply async for reply in replies])


async def test_an_admin_moves_the_lease_from_chat(tmp_path: Path) -> None:
    """Both ways: after a yes the other node is master, which is what is told; who is no node is refused."""
    settings = f"{HASTY}{ADMINS}[chat.console]\n"
    async with run_cluster(tmp_path, nodes=PAIR, settings=settings) as cluster:
        assert await tell(cluster, "step-down", user="eve") == DENIED
        new = ""
        for _ in PAIR:
            old = (await cluster.wait_complete()).master
            (new,) = set(PAIR) - {old}

            asked = await tell(cluster, f"step-down to {new}")
            assert asked == f"Do you want {new} to be master in place of {old}? (yes or no)"
            said = await tell(cluster, "yes")

            assert re.fullmatch(f"{new} is master in place of {old}; nobody was for \\d+ ms.", said)
            assert (await cluster.status()).master == new

        said = await tell(cluster, "step-down to node-9")
        assert said.startswith("That could not be done: node-9 is not alive")
        assert (await cluster.status()).master == new


async def test_a_cluster_speaks_german(tmp_path: Path) -> None:
    """Whatever part of it speaks: the node that handles, the master that cannot send, and whoever is asked."""
    settings = f'{HASTY}{ADMINS}[chat.console]\n[bot]\nlanguage = "de_AT"\n'
    async with run_cluster(tmp_path, nodes=PAIR, settings=settings) as cluster:
        old = (await cluster.wait_complete()).master
        (new,) = set(PAIR) - {old}
        assert (
            await tell(cluster, "join #dev", user="eve")
            == "Das darfst du nicht: Es ist für admins."
        )
        assert await tell(cluster, "xyzzy") == 'Ich kenne "xyzzy" nicht. Versuch es mit "help".'
        assert "ping - prüft, ob ich da bin" in await tell(cluster, "help ping")
        client = ConsoleClient(cluster.link, cluster.keys, "alone-root", "root", private=True)
        with trio.fail_after(40.0):
            async with client.listen(await client.find_ends(["alone-root"])) as heard:
                await client.say("join irc/#dev")
                said = [(await heard.receive()).said for _ in range(3)]
        assert [one.text for one in said if one.kind != "receipt"] == [
            "Ich bin von nun an in irc/#dev. Wenn ich nicht hineinkomme, sage ich es hier.",
            "Ich konnte irc/#dev nicht betreten (es ist kein Adapter 'irc' eingerichtet)",
        ]
        assert f"{old}: Master, hachat " in await tell(cluster, "cluster")

        asked = await tell(cluster, f"step-down to {new}")
        assert asked == f"Soll {new} anstelle von {old} Master werden? (ja oder nein)"
        done = await tell(cluster, "ja")
        assert done.startswith(f"{new} ist Master anstelle von {old}; ")

        assert await tell(cluster, "step-down to node-9") == (
            f"Das ging nicht: node-9 lebt nicht und kann deshalb nicht übernehmen; es leben {old}."
        )


async def test_what_a_cluster_tells_of_itself(tmp_path: Path) -> None:
    """Its handlers, its jobs and its dead letters are the real ones, and admins change them."""
    settings = f"{HASTY}{ADMINS}[chat.console]\n"
    async with run_cluster(tmp_path, nodes=PAIR, settings=settings) as cluster:
        about = await tell(cluster, "about", user="eve")
        assert re.match(
            f"I am hachat, .*: hachat {re.escape(__version__)}, here on node node-[12] for ", about
        )
        assert "(tests.whole.handlers)" in about

        job = Job("j1", "reminders.remind", 0.0)
        await Jobs(cluster.link, cluster.keys).schedule(Later("j1", 3600, "work", job))
        assert "in 60 min: reminders.remind (j1)" in await tell(cluster, "jobs", user="eve")
        for text in ("jobs cancel j1", "dead"):
            assert await tell(cluster, text, user="eve") == DENIED
        assert await tell(cluster, "jobs cancel j1") == "j1 is cancelled."
        assert "j1" not in await tell(cluster, "jobs")

        entry = await bury(cluster.link, cluster.keys, reply(1, "console/ops"))
        assert f"{entry}, " in (told := await tell(cluster, "dead"))
        assert WHY in told
        assert await tell(cluster, f"dead retry {entry}") == "It is tried once more."
        assert await tell(cluster, "dead") == "Nothing was given up."


async def test_a_quiet_bot_answers_again_after_a_reload(tmp_path: Path) -> None:
    """In a room nothing is said of a command nobody knows, alone it is; other settings hold without a restart."""
    settings = f'{HASTY}[bot]\nunknown = "quiet"\n[chat.console]\n'
    unknown = 'I do not know "pign". Did you mean '
    async with run_cluster(tmp_path, nodes=PAIR, settings=settings) as cluster:
        assert await tell(cluster, "hachat pign", private=False) == ""
        assert await tell(cluster, "pign") == f'{unknown}"ping"?'

        for daemon in cluster.daemons.values():
            daemon.file.write_text(daemon.file.read_text().replace('"quiet"', '"answer"'))
            daemon.process.send_signal(signal.SIGHUP)

        async def is_answered() -> bool:
            said = await tell(cluster, "hachat pign", private=False)
            return said == f'{unknown}"hachat ping"?'

        await until(is_answered, 10.0)


async def test_an_admin_moves_the_bot_between_channels(tmp_path: Path) -> None:
    """It goes where it is told, tells where it cannot get in, and its successor is where it was told to be."""
    with run_ngircd(tmp_path) as network:
        settings = f'{HASTY}{ADMINS}[chat.irc]\nhost = "127.0.0.1"\nport = {network.port}\nchannels = ["#ops"]\n'
        async with visit(network, "anna") as anna, visit(network, "eve") as eve:
            for channel in ("#ops", "#lab", "#locked"):
                await anna.join(channel)
            await eve.join("#ops")
            await anna.send("MODE #locked +k hush")
            async with run_cluster(tmp_path, nodes=PAIR, settings=settings) as cluster:
                await eve.expect("JOIN :#ops")
                await eve.say("#ops", "hachat: join #lab")
                assert await eve.hear() == DENIED

                await anna.say("#ops", "hachat: join #lab")
                await eve.expect("PRIVMSG #ops :I will be in #lab from now on.")
                await anna.expect("JOIN :#lab")

                await anna.say("#ops", "hachat: join #locked")
                await eve.expect("PRIVMSG #ops :I will be in #locked from now on.")
                await eve.expect("PRIVMSG #ops :I could not join irc/#locked")

                await anna.say("#ops", "hachat: part")
                await eve.expect("PRIVMSG #ops :I will stay out of this room from now on")
                await eve.expect("PART #ops")

                async def is_remembered() -> bool:
                    rooms = await Rooms(cluster.link, cluster.keys).read("irc")
                    return rooms == {"#lab": "", "#ops": None}

                await until(is_remembered)  # a channel sees it a moment earlier
                await cluster.kill_master()
                await anna.expect("QUIT")
                assert (await anna.expect("JOIN :")).endswith("JOIN :#lab")
                await anna.say("#lab", "hachat: ping")
                await anna.expect("PRIVMSG #lab :pong")
