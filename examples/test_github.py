"""Deliveries as GitHub sends them, shortened."""

import pytest
from github import GitHub

from hachat.testing import Driver, handlers

pytestmark = handlers(GitHub(GitHub.Settings(secret="hush", room="irc/#dev")))

ABOUT = {"repository": {"full_name": "ada/web", "private": True}, "sender": {"login": "ada"}}


@pytest.mark.parametrize(
    ("event", "told", "said"),
    [
        (
            "push",
            {"ref": "refs/heads/main", "commits": [{}, {}], "compare": "https://gh.example/c"},
            ["[ada/web] ada pushed 2 to main: https://gh.example/c"],
        ),
        (
            "pull_request",
            {
                "action": "closed",
                "pull_request": {
                    "title": "Fix",
                    "html_url": "https://gh.example/1",
                    "merged": True,
                },
            },
            ["[ada/web] ada merged “Fix”: https://gh.example/1"],
        ),
        (
            "workflow_run",
            {"workflow_run": {"name": "CI", "html_url": "https://x", "conclusion": "failure"}},
            ["[ada/web] CI failed: https://x"],
        ),
        ("workflow_run", {"workflow_run": {"name": "CI", "html_url": "", "conclusion": None}}, []),
        ("push", {"ref": "refs/heads/gone", "commits": []}, []),
        ("star", {"action": "created"}, []),
    ],
)
async def test_deliveries(
    bot: Driver, event: str, told: dict[str, object], said: list[str]
) -> None:
    """What matters is told, the rest is not."""
    headers = {"X-GitHub-Event": event}
    assert await bot.request("POST", "/github", ABOUT | told, headers=headers) == said
