"""Text that is to be shown as markdown."""

from __future__ import annotations


class Markdown(str):
    """A text in markdown, which each chat service shows as it can: `await ctx.reply(Markdown("**web** is live"))`.

    Emphasis, code and links are rendered, where the service shows such things; elsewhere the words remain.
    """

    __slots__ = ()
