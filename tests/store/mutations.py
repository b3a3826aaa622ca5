"""The rules of the scripts, and how each is taken away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    """A script with one of its rules taken away: `snippet` is replaced, and must be there to be replaced."""

    script: str
    snippet: str
    replacement: str

    def apply(self, text: str) -> str:
        """Return the mutated text of the script.

        Raises:
            AssertionError: the script has been rewritten, so the mutation has to be as well.
        """
        assert text.count(self.snippet) == 1, f"{self.script}.lua has no longer: {self.snippet}"
        return text.replace(self.snippet, self.replacement)


MUTATIONS: Mapping[str, Mutation] = {
    "a commit is refused that is not the holder's": Mutation(
        "inbound_turn",
        "if not holds(token) then return 'LOST', '' end",
        "",
    ),
    "a commit names the head it means": Mutation(
        "inbound_turn",
        "if head and string.sub(head, 1, #mark) ~= mark then return 'GONE', head end",
        "",
    ),
    "a commit names what its token stands for": Mutation(
        "inbound_turn", "if aside and aside ~= conversation then return 'LOST', '' end", ""
    ),
    "a reply that was queued early is not queued with the commit": Mutation(
        "inbound_turn",
        "if not before or not string.find(before, '\\n' .. id .. '\\n', 1, true) then",
        "do",
    ),
    "a conversation that gives way gets another token": Mutation(
        "inbound_turn",
        "if next then redis.call('XADD', ready, '*', 'c', conversation) end",
        "",
    ),
    "errors are looked for before the first reply is queued": Mutation(
        "inbound_turn",
        "for i = first + 2, middle - 1, 2 do redis.call('LLEN', outboxes .. ARGV[i]) end",
        "",
    ),
    "who asked is told of what found no place": Mutation(
        "inbound_turn", "for _, note in ipairs(notes) do write_note(unpack(note)) end\n", ""
    ),
    "a note needs a place": Mutation(
        "inbound_turn",
        "if type(length) ~= 'number' or length >= outbox_limit then return end",
        "if type(length) ~= 'number' then return end",
    ),
    "who asked is told of early words that found no place": Mutation(
        "progress", "for _, note in ipairs(notes) do write_note(unpack(note)) end\n", ""
    ),
    "early words are the holder's": Mutation(
        "progress",
        "if not redis.call('XPENDING', ready, group, token, token, 1, consumer)[1] then return {'LOST'} end",
        "",
    ),
    "early words name the head they are about": Mutation(
        "progress", "if not head or string.sub(head, 1, #mark) ~= mark then return {'LOST'} end", ""
    ),
    "early words are said once": Mutation(
        "progress", "if not string.find(ids, '\\n' .. reply .. '\\n', 1, true) then", "do"
    ),
    "an event is queued once": Mutation(
        "enqueue",
        "if not redis.call('SET', seen, '', 'NX', 'PX', ARGV[4]) then return 'DUP' end",
        "redis.call('SET', seen, '', 'PX', ARGV[4])",
    ),
    "what was refused leaves no mark": Mutation("enqueue", "redis.call('DEL', seen)\n", "\n"),
    "what is taken over counts as a death": Mutation(
        "reap", "if deaths >= tonumber(ARGV[4]) then", "if false then"
    ),
    "a consumer that holds something is not deleted": Mutation(
        "reap",
        "if #redis.call('XPENDING', ready, ARGV[1], '-', '+', 1, name) > 0 then return false end",
        "",
    ),
    "whoever holds something is missed": Mutation(
        "beat",
        "for _, holder in ipairs(held[4] or {}) do redis.call('ZADD', KEYS[1], 'NX', now + ARGV[2], holder[1]) end",
        "",
    ),
    "a master that is one no more is refused": Mutation(
        "outbound_turn", "local leads = redis.call('GET', KEYS[1]) == token", "local leads = true"
    ),
    "a turn that comes after a later one is void": Mutation(
        "outbound_turn",
        "if last and string.sub(last, 1, #mark) == mark and tonumber(string.sub(last, #mark + 1)) >= tonumber(ARGV[8]) then return {-1} end",
        "",
    ),
    "a report names the head it means": Mutation(
        "outbound_turn",
        "if not head or string.sub(head, 1, #mark) ~= mark then return end",
        "if not head then return end",
    ),
    "who finds another master's note is in doubt": Mutation(
        "outbound_turn",
        "local in_doubt = notes[i] and notes[i] ~= token",
        "local in_doubt = false",
    ),
    "a deposed master's report counts for its own sends only": Mutation(
        "outbound_turn",
        "(outcome == 'sent' and redis.call('HGET', intents, room) == token)",
        "outcome == 'sent'",
    ),
    "a job that was moved does not come back": Mutation(
        "job_schedule",
        "if not waits and redis.call('GET', KEYS[3]) == ARGV[5] then return 'DONE' end",
        "",
    ),
    "what has been said is kept while the next try waits in its mailbox": Mutation(
        "job_cancel", "if not waits then return 0 end", ""
    ),
    "what cannot be counted is not moved": Mutation(
        "jobs_promote", "redis.call('HLEN', counters)", ""
    ),
    "a due job is moved once": Mutation("jobs_promote", "    redis.call('ZREM', jobs, id)\n", ""),
    "a slot fires once": Mutation(
        "slot_fire",
        "if last and tonumber(last) >= tonumber(ARGV[2]) then return 'PAST' end",
        "",
    ),
    "a schedule begins once": Mutation("slots_begin", "'HSETNX'", "'HSET'"),
    "a message's letter is moved once": Mutation(
        "dead_requeue", "redis.call('XDEL', dead, ARGV[1])\n", ""
    ),
    "a message waits once": Mutation(
        "dead_requeue",
        "if redis.call('HEXISTS', KEYS[6], ARGV[6]) == 1 then return 'AGAIN' end",
        "",
    ),
    "a message that is retried is marked as one": Mutation(
        "dead_requeue", "redis.call('HSET', KEYS[6], ARGV[6], '\\n')", ""
    ),
    "a message that is retried has killed nobody": Mutation(
        "dead_requeue", "redis.pcall('HDEL', KEYS[5], ARGV[6])", ""
    ),
    "a reply's letter is moved once": Mutation(
        "dead_resend", "redis.call('XDEL', dead, ARGV[1])\n", ""
    ),
    "letters that are cut are counted": Mutation(
        "dead_trim", "redis.call('HINCRBY', KEYS[2], 'dead_cut', cut)", ""
    ),
    "a call waits once": Mutation(
        "ask", "if length > 0 and redis.call('LPOS', outbox, call) then return 'OK' end", ""
    ),
    "a reply is posted once": Mutation(
        "console_post",
        "if not redis.call('SET', KEYS[2], '1', 'NX', 'PX', ARGV[1]) then",
        "if not redis.call('SET', KEYS[2], '1', 'PX', ARGV[1]) then",
    ),
}
"""The rules, and the scripts without them."""
