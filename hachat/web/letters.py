"""Dead letters, under `/api/v1/dead`."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from quart import Blueprint, abort, request

from hachat.core.errors import WireError
from hachat.store.letter import Kind, Query
from hachat.web.node import Node
from hachat.web.responses import Answer, answer

MOST = 100
"""Letters of one answer."""

_AGES = 1e10


class _Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The query of a list."""

    kind: Kind | None = None
    room: str = ""
    why: str = ""
    since: Annotated[float, msgspec.Meta(ge=0, le=_AGES)] | None = None
    order: Literal["newest", "oldest"] = "newest"
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST)] = 20
    after: str = ""

    def to_query(self) -> Query:
        return Query(
            kind=self.kind,
            room=self.room,
            why=self.why,
            since=self.since,
            oldest_first=self.order == "oldest",
        )


def add_letters(api: Blueprint, node: Node) -> None:
    """Add what can be done with the cluster's dead letters to `api`."""

    @api.get("/dead")
    async def list_letters() -> Answer:
        asked = _read_query()
        page = await node.letters.find(asked.to_query(), asked.limit, asked.after)
        letters = [letter.describe() for letter in page.letters]
        return answer({"letters": letters, "next": page.next}, Cache_Control="no-store")

    @api.get("/dead/<entry>")
    async def show(entry: str) -> Answer:
        letter = await node.letters.read(entry)
        if letter is None:
            return answer({"error": f"there is no dead letter {entry}"}, 404)
        return answer(letter.describe(), Cache_Control="no-store")

    @api.post("/dead/<entry>/retry")
    async def retry(entry: str) -> Answer:
        try:
            moved = await node.letters.retry(entry, _describe_caller())
        except WireError as error:
            return answer({"error": f"it cannot be read: {error}"}, 409)
        return _tell(entry, done=moved)

    @api.delete("/dead/<entry>")
    async def drop(entry: str) -> Answer:
        return _tell(entry, done=await node.letters.drop(entry, _describe_caller()))


def _read_query() -> _Asked:
    try:
        return msgspec.convert(request.args.to_dict(), _Asked, strict=False)
    except msgspec.ValidationError as error:
        abort(400, f"the query is not one: {error}")


def _describe_caller() -> str:
    return f"api from {request.remote_addr}"


def _tell(entry: str, *, done: bool) -> Answer:
    """Say what became of a request, which may have been a repeated one."""
    return answer({"id": entry, "status": "done" if done else "gone"})
