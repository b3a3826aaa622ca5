"""The bot on a real IRC network: it answers there, and its successor does after the master was killed."""

from __future__ import annotations

from pathlib import Path

from tests.chat.ngircd import run_ngircd, visit
from tests.waiting import until
from tests.whole.cluster import HASTY, run_cluster


async def test_another_node_answers_after_the_master_was_killed(tmp_path: Path) -> None:
    """The channel keeps its bot: a command is answered by the first master, and by the next one after its death."""
    with run_ngircd(tmp_path) as network:
        settings = (
            f'{HASTY}[chat.irc]\nhost = "127.0.0.1"\nport = {network.port}\nchannels = ["#ops"]\n'
        )
        async with visit(network, "anna") as anna:
            await anna.join("#ops")
            async with run_cluster(
                tmp_path, nodes=("node-1", "node-2"), settings=settings
            ) as cluster:
                await anna.expect("JOIN :#ops")
                await anna.say("#ops", "hachat: ping")
                assert await anna.hear() == "pong"

                old = await cluster.kill_master()
                await anna.expect("QUIT")
                await anna.expect("JOIN :#ops")
                await anna.say("#ops", "hachat: ping")
                assert await anna.hear() == "pong"

                async def another() -> bool:
                    return (await cluster.status()).master not in {None, old}

                await until(another)


async def test_any_node_may_ask_who_is_there(tmp_path: Path) -> None:
    """A handler is told who is in the channel, on the master and on a node that has no connection to it."""
    with run_ngircd(tmp_path) as network:
        settings = f'[chat.irc]\nhost = "127.0.0.1"\nport = {network.port}\nchannels = ["#ops"]\n'
        async with visit(network, "anna") as anna, visit(network, "bert") as bert:
            await anna.join("#ops")
            await bert.join("#ops")
            nodes = ("node-1", "node-2")
            async with run_cluster(tmp_path, nodes=nodes, settings=settings):
                await bert.expect("JOIN :#ops")
                answers: set[str] = set()

                async def both_have_answered() -> bool:
                    await anna.say("#ops", "hachat: who is here")
                    answers.add(await anna.hear())
                    return len(answers) == 2

                await until(both_have_answered, within=20.0)

    assert answers == {f"anna and bert, says {node}" for node in nodes}


async def test_the_next_master_is_where_the_bot_was_told_to_be(tmp_path: Path) -> None:
    """A channel that was joined is joined by the successor too, one of the settings that was left is not."""
    with run_ngircd(tmp_path) as network:
        settings = f'{HASTY}[chat.irc]\nhost = "127.0.0.1"\nport = {network.port}\nchannels = ["#ops", "#left"]\n'
        async with visit(network, "anna") as anna:
            for channel in ("#ops", "#left", "#lab"):
                await anna.join(channel)
            async with run_cluster(
                tmp_path, nodes=("node-1", "node-2"), settings=settings
            ) as cluster:
                await anna.expect("JOIN :#left")
                await anna.say("#left", "hachat: go to #lab")
                await anna.expect("JOIN :#lab")
                await anna.say("#left", "hachat: go away")
                await anna.expect("PART #left")
                await anna.say("#lab", "hachat: whisper")
                assert [await anna.hear(), await anna.hear()] == ["anna: hush", "psst"]

                await cluster.kill_master()
                await anna.expect("QUIT")
                joined = {(await anna.expect("JOIN :")).rpartition(":")[2] for _ in range(2)}
                await anna.say("#lab", "hachat: ping")
                await anna.expect(
                    "PRIVMSG #lab :pong"
                )  # the whisper may be in doubt, and come again

    assert joined == {"#ops", "#lab"}


async def test_whoever_comes_in_is_greeted(tmp_path: Path) -> None:
    """That somebody joined is heard by the master, and handled by a node, once."""
    with run_ngircd(tmp_path) as network:
        settings = f'[chat.irc]\nhost = "127.0.0.1"\nport = {network.port}\nchannels = ["#ops"]\n'
        async with visit(network, "anna") as anna, visit(network, "bert") as bert:
            await anna.join("#ops")
            nodes = ("node-1", "node-2")
            async with run_cluster(
                tmp_path, nodes=nodes, settings=settings, handlers="tests.whole.greeting"
            ):
                await anna.expect("JOIN :#ops")
                await bert.join("#ops")
                assert await anna.hear() == "welcome, bert"
                await anna.say("#ops", "hachat: ping")
                assert await anna.hear() == "pong"
