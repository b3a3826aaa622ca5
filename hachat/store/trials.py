"""A trial of each script: what it is given on scratch keys so that it runs every command in it.

In a trial `~` stands for what the names of all its keys begin with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from hachat.store.link import Link
from hachat.store.scripts import read

LIFE = 60.0
"""Seconds after which scratch keys end that could not be deleted."""


PREPARING = "before"
"""Stands in the place of a command for what should have prepared the keys."""


class Trial(NamedTuple):
    """What a script is given: its keys, the arguments of each run, commands that come before, and other keys it writes.

    Between two runs may be commands, too.
    """

    keys: str
    runs: Sequence[tuple[str, ...] | str] = ((),)
    before: Sequence[str] = ()
    others: str = ""


_GROUP = "XGROUP CREATE ~ready workers 0 MKSTREAM"
_IN_HAND = (_GROUP, "XADD ~ready 1-1 c c", "XREADGROUP GROUP workers n COUNT 1 STREAMS ~ready >")
_DEAD = "XADD ~dead 1-1 kind message origin c data m|{}"
_LEASE = "SET ~lease t"
_ORDERED = 'HSET ~control step-down {"due":1}'
_HELD = "HSET ~meta holder t state held"
_BOXES = ("~mailbox:", "~outbox:")
_REPLIES = ("r", "i|{}", "r", "j|{}")
_LATE = "99999999999999"

TRIALS: Mapping[str, Trial] = {
    "ask": Trial("outbox:r outready counters bell", [("r", "9", "i|{}"), ("r", "9", "j|{}")]),
    "audit_note": Trial("audit did:x", [("did", "d", "by", "b")]),
    "beat": Trial("nodes ready", [("m", "1000", "workers")], _IN_HAND),
    "console_post": Trial("console:room:r console:sent:i", [("1000", "9", "{}")]),
    "console_type": Trial("console:lines", [("9", "{}")]),
    "control": Trial(
        "control events audit",
        [("pause", "{}", "pause", "b", "", ""), ("pause", "", "resume", "b", "", "")],
    ),
    "dead_drop": Trial("dead trail audit", [("1-1", "n")], [_DEAD]),
    "dead_requeue": Trial(
        "dead mailbox:c ready counters deaths said trail audit",
        [("1-1", "chat", "9", "9", "c", "m", "m|{}", "n")],
        [_DEAD],
    ),
    "dead_resend": Trial(
        "dead outbox:r outready counters bell trail audit",
        [("1-1", "9", "r", "i", "i|{}", "n")],
        [_DEAD],
    ),
    "dead_trim": Trial("dead counters", [("0", "9")], [_DEAD]),
    "enqueue": Trial(
        "ready counters refused",
        # The second message finds its mailbox full.
        [("chat", "9", "1", "1000", "~seen:", "~mailbox:", "s", "c", "m|{}", "t", "c", "k|{}")],
        others="seen:s seen:t mailbox:c trail",
    ),
    "field_put": Trial("groups", [("g|c/a", "", "1|c/b", "9")]),
    "group_change": Trial(
        "groups audit", [("add", "g", "c/a", "c/b", "9"), ("remove", "g", "c/a", "c/b", "9")]
    ),
    "hand_back": Trial("ready detached", [("workers", "n")], _IN_HAND),
    "inbound_turn": Trial(
        "ready counters outready bell deaths dead said detached jobs jobdata",
        # One message that answers a question, and becomes another, about which one is asked; then that one, whose second
        # reply finds the outbox full, with one job and one that is cancelled.
        [
            (
                *("workers", "n", "chat", "1", *_BOXES, "", "9", "1"),
                *("1-1", "c", "m", "0 0 c 1", "p", "q", "m|{}", "p", "r|{}"),
            ),
            (
                *("workers", "n", "chat", "1", *_BOXES, "1", "9", "1"),
                *("1-1", "c", "m", "2 2 a", *_REPLIES),
                *("x", "1000", "chat|1|cx|{}", "y", "", ""),
            ),
        ],
        [
            *_IN_HAND,
            "XADD ~ready 1-2 c d",
            "RPUSH ~mailbox:c m|{}",
            "RPUSH ~mailbox:d k|{}",
            "HSET ~said m /",
            "HSET ~dialogs p q|{}",
        ],
        "mailbox:c mailbox:d outbox:r trail dialogs",
    ),
    "inherit": Trial("lease outready intent", [("t",)], [_LEASE, "HSET ~intent r t"]),
    "jobs_promote": Trial(
        "jobs jobdata counters ready other",
        [("9", "1000", "~mailbox:", "chat", "work")],
        [
            "ZADD ~jobs 1 x 1 y",
            "HSET ~jobdata x chat|1|cm|{} y work|1|dk|{}",
            "SET ~other none",  # so that the second job cannot be moved
        ],
        "mailbox:c mailbox:d trail",
    ),
    "job_cancel": Trial("jobs jobdata seen:later:m said", [("m/again",)], ["ZADD ~jobs 1 m/again"]),
    "job_put": Trial("jobs jobdata", [("9", "x", _LATE, "d", "")]),
    "job_schedule": Trial("jobs jobdata seen:later:x", [("9", "x", "1000", "d", "h", "1000")]),
    "join": Trial(
        "members nodes gone",
        [("n", "n:2", "{}", "1000", "1000", _LATE)],
        ["HSET ~members n:1 {}", f"ZADD ~nodes {_LATE} n:1"],
    ),
    "lease_acquire": Trial(
        "lease meta events history control",
        [("n", "b", "1000", "1000", "0", "1", "1-1", "RUN_ID@0", _LATE, _LATE)],
        [_HELD, "XADD ~events 1-1 event renewed token t"],
    ),
    "lease_release": Trial(
        "lease meta events history",
        [("t", "", "0", "", "0", "r", "stopped", ""), ("u", "", "0", "", "0", "", "isolated", "")],
        [_LEASE, _HELD, "XADD ~history * event acquired token u"],
    ),
    "lease_renew": Trial("lease meta events", [("t", "1000", "0")], [_HELD]),
    "lease_step_down": Trial("lease events audit", [("t", "", "r", "", "q", "", "")], [_LEASE]),
    "leave": Trial("members nodes ready", [("n", "workers"), ("m", "workers")], _IN_HAND),
    "life": Trial("life nodes", [("n",)], ["ZADD ~life 0 a 1 b"]),
    "memory_change": Trial(
        "memory:h memory:h:ends memory did:x",
        # Something is over, something is remembered for a time, and then forgotten.
        [
            ("h", "a", "set", "1", "1000", "", "9", "99"),
            ("h", "a", "delete", "", "-1", "", "9", "99"),
        ],
        ["HSET ~memory:h b 1", "ZADD ~memory:h:ends 1 b"],
    ),
    "memory_keys": Trial("memory:h memory:h:ends", [("",)]),
    "memory_read": Trial("memory:h memory:h:ends", [("a",)], ["HSET ~memory:h a 1"]),
    "met_note": Trial(
        "met:users met:users:names met:users:seen",
        # Two, of whom one is kept.
        [("1", "c/a", "1", '{"index":["x"]}', "c/b", "2", '{"index":["y"]}')],
    ),
    "outbound_turn": Trial(
        "lease outready intent counters dead trail deferred turn",
        # One reply that is dead, with a note about it; a call that is answered; one in doubt; one that waits.
        [
            (
                *("t", "9", "1000", "~outbox:", "9", "1000", "9", "1", "4"),
                *("r", "i", "dead", "0", "w", "s", "j", "sent", "0", ""),
                *("u", "k", "doubt", "0", "", "v", "l", "defer", "1000", "w"),
                *("i", "w", "", "i/note|{}", "j", "", "~answers:n", "{}"),
            )
        ],
        [
            _LEASE,
            *(f"RPUSH ~outbox:{each}|{{}}" for each in ("r i", "s j", "u k", "v l")),
            "ZADD ~outready 1 r 1 s 1 u 1 v 1 x",
        ],
        "outbox:r outbox:s outbox:u outbox:v outbox:w answers:n",
    ),
    "notice": Trial("noticed outbox:r outready counters bell", [("s", "", "1", "r", "9", "i|{}")]),
    "peers": Trial("members nodes control"),
    "position": Trial("mailbox:c", [("m", "9")], ["RPUSH ~mailbox:c m|{}"]),
    "progress": Trial(
        "ready counters outready bell dead said detached",
        # Two replies, of which the second finds the outbox full, and then the message is moved behind another.
        [("workers", "n", "1", *_BOXES, "1-1", "c", "m", "d", "", *_REPLIES)],
        [*_IN_HAND, "RPUSH ~mailbox:c m|{}", "RPUSH ~mailbox:d k|{}"],
        "mailbox:c mailbox:d outbox:r trail",
    ),
    "queue": Trial(
        "counters outready intent deferred dead detached ready",
        [("workers", *_BOXES, "9", "9", "9")],
        [
            *_IN_HAND,
            f"ZADD ~outready {_LATE} r",
            "RPUSH ~outbox:r i|{}",
            "HSET ~intent s doubt",
            "HSET ~detached x y",
        ],
        "outbox:r",
    ),
    "rate": Trial("rate:r", [("1000", "1")]),
    "reap": Trial(
        "nodes gone deaths dead counters said detached ready",
        # One message is given up, so that the next one is taken over; another conversation has none.
        [("workers", "o", "9", "1", "~mailbox:", "chat")],
        [
            _GROUP,
            "XADD ~ready 1-1 c c",
            "XADD ~ready 1-2 c d",
            "XREADGROUP GROUP workers n COUNT 2 STREAMS ~ready >",
            "RPUSH ~mailbox:c m|{} k|{}",
            "ZADD ~nodes 1 n",
        ],
        "mailbox:c trail",
    ),
    "scored_read": Trial("jobdata jobs", [("x",)]),
    "slot_fire": Trial(
        "slots counters ready mailbox:c", [("s", "1", "chat", "c", "9", "m|{}")], others="trail"
    ),
    "slots_begin": Trial("slots", [("s",)]),
    "status": Trial(
        "lease meta members nodes gone counters outready dead detached refused control ready",
        [("workers", *_BOXES)],
        _IN_HAND,
    ),
    "step_down_order": Trial("control audit", [("{}", "did", "d"), ("", "did", "d")]),
    "step_down_due": Trial(
        "lease events control audit", [("t", _LATE), _ORDERED, ("t", "1")], [_LEASE, _ORDERED]
    ),
    "tell": Trial("members", [("n", "{}")], ["HSET ~members n {}"]),
    "trail": Trial("trail", [("m", "+", "9")], ["XADD ~trail * in m"]),
}
"""By the name of the script."""


async def try_script(link: Link, name: str, prefix: str, run_id: str) -> dict[str, str]:
    """Return the commands that the script ran on keys with this prefix, each with its error or nothing.

    A fault of the script itself is under an empty name, one of the preparations under `PREPARING`.  `run_id` is the
    server's.

    Raises:
        StoreRefused: Redis does not run the script at all.
        StoreUnavailable: Redis did not answer, or lacks the replicas for it.
    """
    trial = TRIALS[name]

    def fill(text: str) -> str:
        return text.replace("~", prefix).replace("RUN_ID", run_id)

    keys = [prefix + key for key in trial.keys.split()]
    steps: list[Any] = [
        ("", [fill(word) for word in step.split()])
        if isinstance(step, str)
        else (keys, [fill(word) for word in step])
        for step in (*trial.before, *trial.runs)
    ]
    written = keys + [prefix + key for key in trial.others.split()]
    text = read("trial").replace("--SCRIPT--", read(name))
    arguments = (msgspec.json.encode(steps), int(LIFE * 1000))
    said = await link.command("EVAL", text, len(written), *written, *arguments)
    texts = [part.decode("utf-8", "replace") for part in said]
    return dict(zip(texts[::2], texts[1::2], strict=True))
