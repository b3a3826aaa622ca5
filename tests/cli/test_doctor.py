"""`hachat doctor`, and what status says of the same."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import redis
from click.testing import CliRunner, Result
from structlog.testing import capture_logs

from hachat.cli.commands import main
from hachat.store.embedded import Server, free_port, run_server
from tests.cli.running import Place
from tests.store.sentinels import SERVICE, run_cluster
from tests.waiting import until_sync


def run(folder: Path, *arguments: str) -> Result:
    """Run the command with the settings in `folder`, in this process, whose logging it leaves alone."""
    with patch("hachat.daemon.logging.configure"), capture_logs():
        return CliRunner().invoke(main, [*arguments, "--config", str(folder / "hachat.toml")])


def write(folder: Path, redis_section: str) -> None:
    """Write settings."""
    (folder / "hachat.toml").write_text(f'node = "n1"\n[redis]\n{redis_section}\n')


def test_a_single_server_has_its_price(place: Place) -> None:
    """A warning is no failure; the table says what to do."""
    done = place.run("doctor")
    assert done.exit_code == 0, done.output
    assert "a single server" in done.output
    assert "docs/operating.md" in done.output


def test_an_unsafe_cluster_is_4_and_status_says_so_too(tmp_path: Path) -> None:
    """Stock settings with a replica: an old master would go on acknowledging writes."""
    with run_cluster(tmp_path / "r", min_replicas=0) as cluster:
        write(tmp_path, f"sentinels = {cluster.addresses}\nservice = {SERVICE!r}\ntimeout = 5.0")

        done = run(tmp_path, "doctor", "--json")

        assert done.exit_code == 4, done.output
        found = {each["check"]: each for each in json.loads(done.stdout)}
        assert found["old master"]["verdict"] == "UNSAFE"
        assert "min-replicas-to-write 1" in found["old master"]["advice"]
        assert found["sentinels"]["verdict"] == found["quorum"]["verdict"] == "ok"

        status = run(tmp_path, "status", "--json")
        told = json.loads(status.stdout)
        assert any("min-replicas-to-write is 0" in reason for reason in told["reasons"])


def test_rights_that_are_missing_are_named(tmp_path: Path, own_server: Server) -> None:
    """With the command that grants them."""
    with closing(redis.Redis(port=own_server.port)) as raw:
        rights = ["on", ">pw", "~*", "&*", "+@all", "-getex"]
        raw.execute_command("ACL", "SETUSER", "low", *rights)  # type: ignore[no-untyped-call]
    write(tmp_path, f'url = "redis://low:pw@127.0.0.1:{own_server.port}"')

    done = run(tmp_path, "doctor", "--json")

    assert done.exit_code == 4
    found = {each["check"]: each for each in json.loads(done.stdout)}
    assert found["rights"]["found"] == "our user has no right to GETEX (in lease_renew)"
    assert found["rights"]["advice"] == "on every server: ACL SETUSER <user> +getex"
    assert "pw" not in done.output


def test_an_eviction_that_is_wrong_is_unsafe(tmp_path: Path) -> None:
    """A full Redis would drop messages."""
    options = ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]
    with run_server(tmp_path / "r", options=options) as server:
        write(tmp_path, f'url = "{server.url}"')
        done = run(tmp_path, "doctor")
    assert done.exit_code == 4
    assert "allkeys-lru" in done.output


def test_a_master_without_its_replica_is_told_of_and_not_away(tmp_path: Path) -> None:
    """It acknowledges nothing then; that is what the table says, and what to do."""
    with run_cluster(tmp_path / "r", min_replicas=1) as cluster:
        write(tmp_path, f"sentinels = {cluster.addresses}\nservice = {SERVICE!r}\ntimeout = 5.0")
        replica, master = (redis.Redis(port=cluster.servers[n].port) for n in (1, 0))
        with closing(replica), closing(master):
            replica.replicaof("127.0.0.1", free_port())
            until_sync(lambda: refuses(master), 20.0)

            done = run(tmp_path, "doctor", "--json")

    assert done.exit_code == 4, done.output
    found = {each["check"]: each for each in json.loads(done.stdout)}
    assert found["replicas"]["verdict"] == "UNSAFE"
    assert found["rights"]["verdict"] == "ok"


def test_a_replica_that_is_set_up_otherwise_is_unsafe(tmp_path: Path) -> None:
    """After the next failover it would be the master."""
    with run_cluster(tmp_path / "r", min_replicas=1) as cluster:
        write(tmp_path, f"sentinels = {cluster.addresses}\nservice = {SERVICE!r}\ntimeout = 5.0")
        with closing(redis.Redis(port=cluster.servers[1].port)) as replica:
            replica.config_set("min-replicas-to-write", 0)
        done = run(tmp_path, "doctor", "--json")
    found = {each["check"]: each for each in json.loads(done.stdout)}
    assert done.exit_code == 4
    assert found["old master"]["verdict"] == "ok"
    assert "min-replicas-to-write 0" in found["successors"]["found"]


def refuses(master: redis.Redis) -> bool:
    """Tell whether a server acknowledges nothing."""
    try:
        master.set("x", "1")
    except redis.ResponseError:
        return True
    return False
