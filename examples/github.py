"""What happens on GitHub, told in a room, as Hubot's and Lita's announcers do: pushes, pull requests, failed checks."""

import msgspec

from hachat import Context, Handler, hook


class Named(msgspec.Struct):
    """A person, or a repository."""

    login: str = ""
    full_name: str = ""


class PullRequest(msgspec.Struct):
    """A pull request."""

    title: str
    html_url: str
    merged: bool = False


class Run(msgspec.Struct):
    """A run of a workflow."""

    name: str
    html_url: str
    conclusion: str | None = None


class Delivery(msgspec.Struct):
    """As much of a delivery as is told."""

    repository: Named
    sender: Named
    action: str = ""
    ref: str = ""
    compare: str = ""
    commits: list[dict[str, object]] = []
    pull_request: PullRequest | None = None
    workflow_run: Run | None = None


class GitHub(Handler):
    """Tells a room what happens. Let GitHub send to https://<any node>/hooks/github, as JSON, with the secret."""

    name = "github"

    class Settings(msgspec.Struct):
        """What [handler.github] says."""

        secret: str
        room: str = "irc/#dev"

    def __init__(self, settings: Settings) -> None:
        self.secret = settings.secret
        self._room = settings.room

    @hook.post("/github", signature="github")
    async def delivered(self, ctx: Context, delivery: Delivery) -> None:
        """Tell what was delivered, if it is worth it."""
        if text := describe(ctx.webhook.headers.get("x-github-event", ""), delivery):
            await ctx.say(self._room, f"[{delivery.repository.full_name}] {text}")


def describe(event: str, told: Delivery) -> str:
    """Return an event in words; nothing for what nobody wants to hear of."""
    who, branch = told.sender.login, told.ref.removeprefix("refs/heads/")
    match event, told:
        case "push", Delivery(commits=[_, *_]):
            return f"{who} pushed {len(told.commits)} to {branch}: {told.compare}"
        case "pull_request", Delivery(pull_request=PullRequest() as request):
            done = "merged" if request.merged else told.action
            if done in {"opened", "closed", "merged", "reopened"}:
                return f"{who} {done} “{request.title}”: {request.html_url}"
        case "workflow_run", Delivery(workflow_run=Run(conclusion="failure") as run):
            return f"{run.name} failed: {run.html_url}"
    return ""
