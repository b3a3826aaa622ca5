"""One lock, one holder, whatever happens."""

from deploy_lock import DeployLock

from hachat.testing import Driver, handlers

pytestmark = handlers(DeployLock)


async def test_one_holder_at_a_time(bot: Driver) -> None:
    """The others are told who, and why."""
    said = "web is locked by alice: fixing the login"
    assert await bot.say("hachat lock web for 2h fixing the login") == [said]
    assert await bot.as_user("bob").say("hachat lock web") == [f"Not now. {said}"]
    assert await bot.as_user("bob").say("hachat lock db") == ["db is locked by bob."]
    assert await bot.say("hachat locks") == [f"db is locked by bob.\n{said}"]


async def test_it_can_be_given_back(bot: Driver) -> None:
    """By its holder, and by others, who then know whose it was."""
    await bot.say("hachat lock web")
    assert await bot.as_user("bob").say("hachat unlock web") == ["web is free; alice held it."]
    assert await bot.say("hachat locks") == ["Everything is free."]
    await bot.say("hachat lock web")
    assert await bot.say("hachat unlock web") == ["web is free."]


async def test_a_node_that_dies_does_not_lock_its_user_out(bot: Driver) -> None:
    """The handler runs twice then, and finds the lock that it took itself."""
    assert await bot.crash_during("hachat lock web") == ["web is locked by alice."]
