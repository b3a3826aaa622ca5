"""What a node lends the handlers that run on it, from what the cluster keeps in Redis."""

from __future__ import annotations

from hachat.bot.access import LIFE, Access
from hachat.bot.people import People
from hachat.bot.services import Ask, Services
from hachat.core.access import AccessSettings
from hachat.store.audit import Audit
from hachat.store.groups import Groups
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.memory import Memory
from hachat.store.people import KINDS, Directory
from hachat.store.rates import Rates


def lend(
    services: Services,
    link: Link,
    keys: Keys,
    *,
    ask: Ask,
    access: AccessSettings,
    life: float = LIFE,
) -> None:
    """Fill in `services`; what is read of groups holds for `life` seconds.  `services.people.run` is to be running."""
    services.ask = ask
    services.memory = Memory(link, keys)
    services.throttle = Rates(link, keys).take
    services.access = Access(
        access, Groups(link, keys), Audit(link, keys), life=life, say=services.texts.say
    )
    directories = (Directory(link, keys, kind) for kind in KINDS)
    services.know(People(*directories, say=services.texts.say))
