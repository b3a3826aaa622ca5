r"""Every key hachat writes: its type, what it holds, how long it lives.

All of a cluster's keys carry the hash tag `{hachat:<cluster>}`, so that a script may touch any of them together.

======================  ==================  =====================================================================
key                     type                content, life
======================  ==================  =====================================================================
lease                   string, PX ttl      the token of the master: `<node>/<boot>/<config epoch>.<epoch>`
meta                    hash                the last term: holder, epoch, state, ttl, since, hand-over, vetoes
events                  stream, ~1000       what waiting candidates must hear: renewed, acquired, released, step-down, prepare, ready, refused, control
control                 hash                what operators have ordered: `pause`, `drain:<node>`, `hold:<node>`, and what was `missed` of it, see `control.py`; `step-down`, see `schedule.py`
history                 stream, ~1000       one entry for each beginning and end of a term, and why, see `history.py`
layout                  string              number of this table's layout; a release refuses to touch a newer one
nodes                   zset                consumer `<node>:<boot>` -> end of its node lease, Redis milliseconds
members                 hash                consumer -> what the node says of itself, JSON
gone                    hash                consumer of a node that died -> end of its lease, Redis milliseconds
life                    zset                consumers since the cluster started, the first of them in front, see `life.lua`
ready:<lane>            stream, group       conversations with waiting messages; one entry each while non-empty
mailbox:<conversation>  list                `<id>|<envelope>`, oldest first, only while non-empty
seen:<source>           string, PX          an event that was queued; a second delivery is recognised by it
counters                hash                `waiting:<lane>`, `outgoing`: messages and replies queued; `doubts`: replies ever in doubt;
                                            `dead_cut`: dead letters ever cut
refused                 hash                `lane:<lane>`, `mailbox:<lane>` -> `<ms>|<name>`: what refused a message last, and when
deaths                  hash                message id -> how many nodes died while handling it
detached                hash                `<key of ready> <entry>` -> the conversation that entry stands for now
said                    hash                message id -> ids of replies queued before its commit, and routes begun, each a line
                                            (none while a retried dead letter waits that has said nothing yet)
dialogs                 hash                `<room>\n<user>`, or `<room>\n` for anybody -> `<id>|<question>`, see `dialogs.py`
jobs                    zset                job id -> due, Redis milliseconds
jobdata                 hash                job id -> `<lane>|<length of conversation>|<conversation><id>|<envelope>`
slots                   hash                schedule -> the last slot that was fired, Unix milliseconds
slots:next              hash                schedule -> its next slot, Unix milliseconds, or nothing, as whoever fired the last one computed it
trail                   stream, ~10000      what became of messages and replies: one entry for each turn, see `trail.py`
outbox:<room>           list                `<id>|<envelope>` of one room, oldest first, only while non-empty
outready                zset                room -> not before, Redis milliseconds
intent                  hash                room -> token of the master that may be sending the room's head, or `doubt`
deferred                hash                room -> `<not before>|<why>` of its last deferral; out of date if outready says otherwise
turn                    string              token of the master and the number of its last turn, so that a late one is void
bell                    list, at most 1     wakes the master's drain
answers:<consumer>      stream, ~1000, 60 s what became of the calls of a node, while somebody there may wait
sent:<reply id>         string, 24 h        by which id a chat service knows a reply, where it can be changed there
rooms:<adapter>         hash                room id -> `+<key>` where the bot was told to join, `-` where it was told to leave
dead                    stream, queue.dead  what was given up: kind, origin, data `<id>|<envelope>`, reason
audit                   stream, ~5000       who did what that not everybody may, see `audit.py`
noticed                 hash                subject -> how far admins have been told of it, see `notices.py`
audited                 string              the last entry of audit that a master has written into its log
groups                  hash                `<group>|<adapter>/<user id>` -> `<seconds>|<who added it>` of members that were added in chat
met:users, met:rooms    hash                `<adapter>/<id>` -> `<ms when first met>|<JSON>` of users and rooms, see `people.py`
met:<kind>:names        zset, all 0         `<adapter>\0<folded name>\0<id>`, by which they are found
met:<kind>:seen         zset                `<adapter>/<id>` -> when last seen, Unix milliseconds; the oldest are dropped
memory                  hash                handler -> bytes of the keys and values it remembers
memory:<handler>        hash                key -> value, JSON; of a handler's choice, see `memory.py`
memory:<handler>:ends   zset                key -> when it is to be forgotten, Redis milliseconds; none for those that stay
rate:<name>             string, PX          how often a route was run lately, of a user or in a room: `<arrival>|<told>`, see `rate.lua`
doctor:<random>[:...]   any                 what `hachat doctor` tries its rights on, and the scripts; gone when it has
did:<id>                string, 60 s        what became of a change of memory, or a note of audit; a repetition is recognised by it
console:lines           stream              what was typed in consoles and not yet taken by the master
console:room:<id>       stream, ~1000, 1 h  what the bot said in a console's room
console:sent:<id>       string, 1 h         a reply that was posted to a console; a resend is recognised by it
======================  ==================  =====================================================================
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Lane = Literal["chat", "work"]
"""People's messages and everything else; however much work waits, a person never stands behind it."""

LANES: tuple[Lane, ...] = ("chat", "work")

GROUP = "workers"
"""The consumer group of the ready streams."""


class Keys(NamedTuple):
    """The keys of one cluster."""

    cluster: str

    def of(self, name: str) -> str:
        """Return the full key of a name in the table above."""
        return f"{{hachat:{self.cluster}}}:{name}"

    def ready(self, lane: Lane) -> str:
        """Return the key of a lane's ready stream."""
        return self.of(f"ready:{lane}")

    def mailbox(self, conversation: str) -> str:
        """Return the key of a conversation's waiting messages."""
        return self.of(f"mailbox:{conversation}")

    def outbox(self, room: str) -> str:
        """Return the key of a room's waiting replies."""
        return self.of(f"outbox:{room}")

    def answers(self, consumer: str) -> str:
        """Return the key of what became of a node's calls."""
        return self.of(f"answers:{consumer}")

    def seen(self, source: str) -> str:
        """Return the key that marks an event as queued."""
        return self.of(f"seen:{source}")

    def sent(self, reply: str) -> str:
        """Return the key of how a service knows a reply."""
        return self.of(f"sent:{reply}")

    def rooms(self, adapter: str) -> str:
        """Return the key of where the bot was told to be, and not to be."""
        return self.of(f"rooms:{adapter}")

    def memory(self, handler: str) -> str:
        """Return the key of what a handler remembers."""
        return self.of(f"memory:{handler}")
