"""Recorded lines in, events out."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachat.chat.irc.events import Ended, Event, Happened, Heard, Listed, Refused, Registered, Write
from hachat.chat.irc.session import Session
from hachat.chat.irc.settings import IrcSettings
from hachat.core.messages import Room, User

NGIRCD = """\
:irc.test.invalid CAP * LS :multi-prefix
:irc.test.invalid 001 hachat :Welcome to the Internet Relay Network hachat!~hachat@127.0.0.1
:irc.test.invalid 002 hachat :Your host is irc.test.invalid, running version ngircd-26.1
:irc.test.invalid 004 hachat irc.test.invalid ngircd-26.1 abBcCFiIoqrRswx abehiIklmMnoOPqQrRstvVz
:irc.test.invalid 005 hachat RFC2812 IRCD=ngIRCd CHARSET=UTF-8 CASEMAPPING=ascii PREFIX=(qaohv)~&@%+ \
CHANTYPES=#&+ CHANMODES=beI,k,l,imMnOPQRstVz CHANLIMIT=#&+:10 :are supported on this server
:irc.test.invalid 005 hachat CHANNELLEN=50 NICKLEN=9 TOPICLEN=490 AWAYLEN=127 KICKLEN=400 MODES=5 \
MAXLIST=beI:50 EXCEPTS=e INVEX=I PENALTY FNC :are supported on this server
:irc.test.invalid 376 hachat :End of MOTD command
:hachat!~hachat@127.0.0.1 JOIN :#ops
:irc.test.invalid 353 hachat = #ops :@ada hachat
:irc.test.invalid 366 hachat #ops :End of NAMES list
"""


def make(**settings: object) -> Session:
    """Return a session that wants to be hachat in #ops."""
    values = {"host": "irc.test.invalid", "channels": ("#ops",), **settings}
    return Session(IrcSettings(**values), "hachat")  # type: ignore[arg-type]  # the tests' own values


def feed(session: Session, *lines: str) -> list[Event]:
    """Return all that `lines` mean to `session`."""
    return [event for line in lines for event in session.receive(line.encode())]


@pytest.fixture
def session() -> Session:
    """A session that ngircd has let in and that is in #ops."""
    joined = make()
    feed(joined, *NGIRCD.splitlines())
    return joined


def heard(session: Session, line: str) -> list[Heard]:
    """Return what `line` says to `session`."""
    return [event for event in feed(session, line) if isinstance(event, Heard)]


def test_opening() -> None:
    """A connection begins with capabilities, the password if there is one, and our names."""
    assert make().open() == [
        b"CAP LS 302\r\n",
        b"NICK hachat\r\n",
        b"USER hachat 0 * hachat\r\n",
    ]
    session = make(password="a b", user="bot", realname="The Bot")
    assert session.open() == [
        b"CAP LS 302\r\n",
        b"PASS :a b\r\n",
        b"NICK hachat\r\n",
        b"USER bot 0 * :The Bot\r\n",
    ]


def test_ngircd_lets_us_in() -> None:
    """Of a server's greeting only the end of the capabilities is answered, and being let in is told once."""
    events = feed(make(), *NGIRCD.splitlines())

    assert events == [Write(b"CAP END\r\n"), Registered()]


def test_useful_capabilities_are_asked_for() -> None:
    """Accounts and message ids are asked for where the server has them, also when it lists in two parts."""
    session = make()

    events = feed(
        session,
        ":irc CAP * LS * :multi-prefix account-tag=1",
        ":irc CAP * LS :message-tags sasl=PLAIN",
        ":irc CAP * ACK :account-tag message-tags",
    )

    assert events == [Write(b"CAP REQ :account-tag message-tags\r\n"), Write(b"CAP END\r\n")]


def test_refused_capabilities_do_without() -> None:
    """A server that takes its offer back is joined without it."""
    events = feed(make(), ":irc CAP * LS :message-tags", ":irc CAP * NAK :message-tags")

    assert events[-1] == Write(b"CAP END\r\n")


def test_sasl_login() -> None:
    """With an account set up we log in before we are let in."""
    session = make(sasl_username="bot", sasl_password="secret")

    events = feed(
        session,
        ":irc CAP * LS :sasl",
        ":irc CAP * ACK :sasl",
        "AUTHENTICATE +",
        ":irc 900 hachat hachat!~hachat@127.0.0.1 bot :You are now logged in as bot",
        ":irc 903 hachat :SASL authentication successful",
        ":irc 001 hachat :Welcome",
    )

    assert events == [
        Write(b"CAP REQ sasl\r\n"),
        Write(b"AUTHENTICATE PLAIN\r\n"),
        Write(b"AUTHENTICATE " + base64.b64encode(b"bot\0bot\0secret") + b"\r\n"),
        Write(b"CAP END\r\n"),
        Registered(),
    ]


def test_long_sasl_password_is_sent_in_chunks() -> None:
    """An answer of a multiple of 400 characters ends with an empty chunk."""
    session = make(sasl_username="b", sasl_password="x" * 296)

    events = feed(session, "AUTHENTICATE +")

    assert [len(event.line) for event in events if isinstance(event, Write)] == [415, 16]
    assert events[-1] == Write(b"AUTHENTICATE +\r\n")


@pytest.mark.parametrize(
    "line",
    [
        ":irc 904 hachat :SASL authentication failed",
        ":irc 001 hachat :Welcome without a login",
        "ERROR :Access denied: Bad password?",
    ],
)
def test_never_in_without_the_login_that_was_set_up(line: str) -> None:
    """An account that is refused or cannot be used ends the connection with the reason."""
    [event] = feed(make(sasl_username="b", sasl_password="s"), line)

    assert isinstance(event, Ended)


def test_nick_in_use() -> None:
    """A taken nick is replaced by alternates, until they run out."""
    session = make()
    line = ":irc 433 * hachat :Nickname already in use"

    assert feed(session, line, line, line) == [
        Write(b"NICK hachat_\r\n"),
        Write(b"NICK hachat__\r\n"),
        Write(b"NICK hachat___\r\n"),
    ]
    assert feed(session, line) == [Ended("no nick is free: Nickname already in use")]


def answers(session: Session, line: str) -> list[Event]:
    """Return what must be done about `line`, beside telling of it."""
    return [event for event in feed(session, line) if not isinstance(event, Happened)]


def test_nick_is_taken_back() -> None:
    """As soon as the one with our nick leaves or changes theirs, we ask for it, and not once we have it."""
    session = make()
    feed(session, *NGIRCD.replace(" hachat ", " hachat_ ").splitlines())

    assert session.nick == "hachat_"
    assert answers(session, ":hachat!~x@host QUIT :bye") == [Write(b"NICK hachat\r\n")]
    assert answers(session, ":HAChat!~x@host NICK :other") == [Write(b"NICK hachat\r\n")]
    assert feed(session, ":irc 433 hachat_ hachat :Nickname already in use") == []
    assert answers(session, ":ada!~x@host QUIT :bye") == []

    assert session.restore()[0] == b"NICK hachat\r\n"
    feed(session, ":hachat_!~hachat@127.0.0.1 NICK :hachat")
    assert session.nick == "hachat"
    assert b"NICK hachat\r\n" not in session.restore()


def test_what_people_do_is_told_by_who_they_are(session: Session) -> None:
    """By the account where the network tells it; who takes another nick is known by that from then on."""
    ops = Room("irc", "#ops", "#Ops")
    account = "@account=Ada;msgid=e1 :Ada!~ada@Host"

    assert feed(session, f"{account} JOIN #Ops") == [
        Happened("joined", ops, User("Ada", "Ada"), {}, "e1")
    ]
    assert feed(session, ":Bob!~b@host NICK Bert") == [
        Happened(
            "nick", None, User("bob!~b@host", "Bob"), {"nick": "Bert", "id": "bert!~b@host"}, ""
        )
    ]
    assert feed(session, f"{account} NICK Adele") == [
        Happened("nick", None, User("Ada", "Ada"), {"nick": "Adele", "id": "Ada"}, "e1")
    ]
    assert feed(session, ":eve!~e@host KICK #Ops hachat :out") == [
        Happened("kicked", ops, User("eve!~e@host", "eve"), {"nick": "hachat", "reason": "out"}, "")
    ]


def test_restoring(session: Session) -> None:
    """What is asked for again is just what was lost."""
    assert session.restore() == []

    feed(session, ":ada!~x@host KICK #ops hachat :out")

    assert session.restore() == [b"JOIN #ops\r\n"]


def test_ping(session: Session) -> None:
    """A PING is answered with its own token."""
    assert feed(session, "PING :irc.test.invalid") == [Write(b"PONG irc.test.invalid\r\n")]


def test_channel_message(session: Session) -> None:
    """What is said in a channel has the channel as its room, by the name under which the server compares it."""
    [event] = heard(session, ":Ada!~ada@Host PRIVMSG #Ops :hachat: ping")

    assert event == Heard(
        Room("irc", "#ops", "#Ops"), User("ada!~ada@host", "Ada"), "hachat: ping", ""
    )


def test_private_message(session: Session) -> None:
    """What is said to us alone has the other's nick as its room, where the answer must go."""
    [event] = heard(session, ":Ada!~ada@host PRIVMSG hachat :ping")

    assert event.room == Room("irc", "ada", "Ada", private=True)


def test_message_to_some_of_a_channel(session: Session) -> None:
    """A message to a channel's operators is one in the channel."""
    feed(session, ":irc 005 hachat STATUSMSG=@+ :are supported on this server")

    [event] = heard(session, ":ada!~ada@host PRIVMSG @#ops :ping")

    assert event.room.id == "#ops"


def test_account_is_the_identity(session: Session) -> None:
    """Who is logged in is known by the account, whatever the nick; the network's message id is the event."""
    [event] = heard(session, "@account=ada;msgid=m1 :evil!~x@host PRIVMSG #ops :ping")

    assert event.user == User("ada", "evil")
    assert event.event == "m1"


@pytest.mark.parametrize(
    "line",
    [
        ":hachat!~hachat@127.0.0.1 PRIVMSG #ops :our own words",
        ":ada!~ada@host NOTICE #ops :a notice is never answered",
        ":ada!~ada@host PRIVMSG #ops :\x01VERSION\x01",
        ":ada!~ada@host PRIVMSG #ops :",
        ":ada!~ada@host PRIVMSG #ops",
        "PRIVMSG #ops :from nobody",
        ":ada!~ada@host MODE #ops +o bob",
        ":hachat!~hachat@127.0.0.1 TOPIC #ops :our own",
        ":hachat!~hachat@127.0.0.1 PART #ops",
        ":ada!~ada@host JOIN",
    ],
)
def test_not_for_us(session: Session, line: str) -> None:
    """Our own words, notices, CTCP and what says nothing are not heard."""
    assert feed(session, line) == []


def test_names_are_compared_as_the_server_does() -> None:
    """Under the rfc1459 mapping `[` is the capital of `{`."""
    session = make()
    feed(session, ":irc 001 hachat :hi", ":irc 005 hachat CASEMAPPING=rfc1459 :are supported")

    [event] = heard(session, ":Ada[x]!~a@h PRIVMSG #Ops[] :ping")

    assert event.room.id == "#ops{}"
    assert event.user.id == "ada{x}!~a@h"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (":irc 404 hachat #ops :Cannot send to channel", "#ops Cannot send to channel"),
        (":irc 401 hachat ada :No such nick or channel name", "ada No such nick or channel name"),
        (":irc 474 hachat #ops :Cannot join channel (+b)", "#ops Cannot join channel (+b)"),
    ],
)
def test_refusals(session: Session, line: str, reason: str) -> None:
    """What the server would not do is told with its own words."""
    assert feed(session, line) == [Refused(reason)]


def test_end(session: Session) -> None:
    """An ERROR ends the connection with the server's reason."""
    assert feed(session, "ERROR :Closing connection") == [Ended("Closing connection")]


COMMANDS = [
    *("001", "005", "353", "366", "433", "900", "903", "904", "324", "332", "352", "354", "367"),
    *("AUTHENTICATE", "CAP", "ERROR", "JOIN", "KICK", "MODE", "NICK", "PART", "PING", "PRIVMSG"),
    *("QUIT", "TOPIC", "ACCOUNT", "AWAY", "CHGHOST", "RENAME", "SETNAME", "BATCH"),
]
WORDS = st.one_of(
    st.sampled_from(
        ["hachat", "#ops", "ada", "*", "LS", "ACK", "+o-b", "CASEMAPPING=x", "PREFIX=("]
    ),
    st.text(st.characters(blacklist_characters="\r\n\0"), max_size=8),
)
LINES = st.builds(
    lambda tags, source, command, words: f"{tags}{source}{command} {' '.join(words)}".encode(
        "utf-8", "replace"
    ),
    st.sampled_from(["", "@account=x ", "@ ", "@;= "]),
    st.sampled_from(["", ":ada!~a@h ", ":hachat!~h@h ", ":irc ", ": ", ":!@ "]),
    st.sampled_from(COMMANDS),
    st.lists(WORDS, max_size=6),
)


@given(st.lists(st.one_of(LINES, st.binary()), max_size=20))
def test_no_line_can_stop_us(lines: list[bytes]) -> None:
    """Whatever a server sends, before and after it has let us in, the session goes on and still answers."""
    session = make(sasl_username="b", sasl_password="s")
    for line in [*lines, b":irc 001 hachat :hi", *lines]:
        session.receive(line)

    assert session.receive(b"PING :still there") == (Write(b"PONG :still there\r\n"),)
    session.restore()


def listed(session: Session, *lines: str) -> list[Listed]:
    """Return what `lines` tell `session` of who is there."""
    return [event for event in feed(session, *lines) if isinstance(event, Listed)]


def test_who_is_there(session: Session) -> None:
    """Whoever is in a channel has the id under which their messages are heard, and we are not among them."""
    assert session.ask_who("#ops") == b"WHO #ops\r\n"
    (answer,) = listed(
        session,
        ":irc.test.invalid 352 hachat #ops ~hachat 127.0.0.1 irc.test.invalid hachat H :0 hachat",
        ":irc.test.invalid 352 hachat #ops ~a 127.0.0.1 irc.test.invalid Ada H@ :0 Ada L.",
        ":irc.test.invalid 315 hachat #ops :End of WHO list",
    )
    (message,) = heard(session, ":Ada!~a@127.0.0.1 PRIVMSG #ops :hello")

    assert answer == Listed("#ops", (message.user,))
    assert listed(session, ":irc.test.invalid 315 hachat #ops :End") == [Listed("#ops", ())]


@pytest.mark.parametrize(
    ("caps", "ids"),
    [("account-tag", ["adal", "bob!~b@host"]), ("", ["ada!~a@host", "bob!~b@host"])],
)
def test_who_is_logged_in(caps: str, ids: list[str]) -> None:
    """Where messages are signed with accounts, rosters are; someone not logged in has a mask there as here."""
    session = make()
    feed(session, f":irc CAP * LS :{caps}", f":irc CAP * ACK :{caps}", ":irc 001 hachat :welcome")
    feed(session, ":irc 005 hachat WHOX :are supported by this server")
    assert session.ask_who("#ops") == b"WHO #ops %tuhna,321\r\n"

    (answer,) = listed(
        session,
        ":irc 354 hachat 321 ~a host ada adal",
        ":irc 354 hachat 999 ~x host mallory x",
        ":irc 354 hachat 321 ~b host bob 0",
        ":irc 315 hachat #ops :End of WHO list",
    )

    assert [user.id for user in answer.users] == ids


def test_an_account_that_spoke_is_known_by_its_nick() -> None:
    """Whoever spoke in one of our channels can be found by account, under the nick of now."""
    session = make()
    feed(session, ":irc 001 hachat :welcome", ":hachat!h@host JOIN #ops", ":ada!~a@host JOIN #ops")
    assert not session.find_nick("adal")

    feed(session, "@account=adal :ada!~a@host PRIVMSG #ops :hello", ":ada!~a@host NICK lovelace")

    assert session.find_nick("adal") == "lovelace"


@pytest.mark.parametrize(
    ("tags", "bot"), [("", False), ("bot", True), ("account=b;bot", True), ("draft/bot", True)]
)
def test_other_bots_are_known_by_their_tag(tags: str, bot: bool) -> None:  # noqa: FBT001 - a table
    """Which servers add to the words of whoever has said to be one."""
    session = make()
    feed(session, ":irc 001 hachat :welcome")
    prefix = f"@{tags} " if tags else ""
    (heard,) = feed(session, f"{prefix}:b!~b@host PRIVMSG hachat :hello")
    assert isinstance(heard, Heard)
    assert heard.user.bot is bot


@pytest.mark.parametrize("end", ["376", "422"])
@pytest.mark.parametrize(
    ("token", "said"), [("BOT=B", [Write(b"MODE hachat +B\r\n")]), ("NETWORK=x", [])]
)
def test_it_says_that_it_is_a_bot(end: str, token: str, said: list[Write]) -> None:
    """Where the server has a mode for that, once it has told so: so other bots can know."""
    session = make()
    feed(session, ":irc 001 hachat :welcome", f":irc 005 hachat {token} :are supported")
    assert feed(session, f":irc {end} hachat :end") == said
