"""The bridge to PostgreSQL: what it promises when the server answers, and when it does not."""

import socket

import pytest
import trio

from sendensed.store import RowRefused, StoreUnavailable, bridge
from sendensed.store.driver import cut
from tests.fakes.tunnel import WAYS
from tests.faults.tunnels import socket_of, tunnel_to
from tests.ports import free_port
from tests.waits import PATIENCE

_SLEEPERS = """
SELECT count(*) FROM pg_stat_activity
WHERE query LIKE '%pg_sleep%' AND state = 'active' AND pid <> pg_backend_pid()"""


async def nobody_sleeps(pool) -> None:
    """Returns when no statement sleeps at the server, long before the first would awake."""
    with trio.fail_after(30):
        while await pool.fetchval(_SLEEPERS):
            await trio.sleep(0.01)


@pytest.fixture
async def pool(postgres_dsn):
    async with bridge.open_pool(postgres_dsn, max_size=3) as opened:
        yield opened


async def test_rows_values_and_commands_come_back(pool):
    assert [tuple(row) for row in await pool.fetch("SELECT * FROM generate_series(1, 3)")] == [(1,), (2,), (3,)]
    assert await pool.fetchval("SELECT $1::text", "ü") == "ü"
    assert await pool.execute("CREATE TABLE t (n int); INSERT INTO t VALUES (1), (2)") == "INSERT 0 2"
    assert (await pool.fetchrow("SELECT n FROM t ORDER BY n"))["n"] == 1
    assert await pool.fetchrow("SELECT n FROM t WHERE false") is None


async def test_commits_wait_for_the_servers_own_flush(pool):
    assert await pool.fetchval("SHOW synchronous_commit") == "on"


async def test_a_statement_that_takes_too_long_is_given_up_and_stopped_at_the_server(pool):
    with pytest.raises(StoreUnavailable, match="no answer from the database within"):
        await pool.execute("SELECT pg_sleep(60)", timeout=0.05)
    await nobody_sleeps(pool)


async def test_a_wait_for_a_free_connection_counts(postgres_dsn):
    async with bridge.open_pool(postgres_dsn, max_size=1) as pool:
        async with pool.connection():
            with pytest.raises(StoreUnavailable):
                await pool.fetchval("SELECT 1", timeout=0.05)
        assert await pool.fetchval("SELECT 1") == 1


async def test_a_cancelled_call_leaves_the_pool_usable(pool):
    for _ in range(5):
        with trio.move_on_after(0.02) as scope:
            await pool.execute("SELECT pg_sleep(60)")
        assert scope.cancelled_caught
    await nobody_sleeps(pool)


async def test_the_driver_of_a_frozen_server_is_let_go_in_time(pool, monkeypatch):
    monkeypatch.setattr(bridge, "RELEASE_TIMEOUT", 0.1)
    async with pool.connection() as connection:
        blocker = (await connection.fetch("SELECT pg_backend_pid()"))[0][0]
        await connection.execute("CREATE TABLE t (n int)")
        await connection.execute("BEGIN; LOCK TABLE t")
        with trio.fail_after(PATIENCE), pytest.raises(StoreUnavailable):
            await pool.fetch("SELECT * FROM t", timeout=0.1)
        assert blocker != await pool.fetchval("SELECT pg_backend_pid()")
        await connection.execute("COMMIT")
    assert await pool.fetch("SELECT * FROM t") == []


async def test_a_killed_connection_is_unavailable_and_then_replaced(pool):
    async with pool.connection() as connection:
        victim = (await connection.fetch("SELECT pg_backend_pid()"))[0][0]
        await pool.execute("SELECT pg_terminate_backend($1)", victim)
        with pytest.raises(StoreUnavailable):
            await connection.fetch("SELECT 1")
    for _ in range(5):
        assert await pool.fetchval("SELECT 1") == 1


async def test_a_database_that_takes_no_connections_is_unavailable_until_it_does(pool, postgres_server):
    name = await pool.fetchval("SELECT current_database()")
    async with bridge.open_pool(postgres_server) as server:
        await server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await pool.fetchval("SELECT 1")
        await server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert await pool.fetchval("SELECT 1") == 1


async def test_a_right_that_was_withdrawn_is_unavailable(pool):
    async with pool.connection() as connection:
        await connection.execute("SET ROLE pg_monitor")
        with pytest.raises(StoreUnavailable, match="permission denied"):
            await connection.fetch("SELECT * FROM backup_jobs")
        await connection.execute("RESET ROLE")


async def test_when_one_connection_is_lost_the_others_are_made_anew_before_anybody_meets_them_broken(pool):
    async with pool.connection() as one, pool.connection() as other, pool.connection() as third:
        numbers = [(await held.fetch("SELECT pg_backend_pid()"))[0][0] for held in (one, other, third)]
    assert len(set(numbers)) == 3
    others = "SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid WHERE pid <> pg_backend_pid()"
    async with pool.connection() as connection:
        await connection.fetch(others, numbers)
    lost = 0
    for _ in range(4):
        try:
            assert await pool.fetchval("SELECT 1") == 1
        except StoreUnavailable:
            lost += 1
    assert lost <= 1


async def test_a_connection_that_breaks_while_it_is_given_back_is_nobodys_failure(pool):
    def soon(what) -> None:
        pool._loop.call_soon(what)

    for _ in range(5):
        async with pool.connection() as connection:
            assert await connection.fetch("SELECT 1")
            soon(lambda held=connection: soon(lambda: cut(held._connection)))  # once the pool has begun to take it
        assert await pool.fetchval("SELECT 1") == 1


@pytest.mark.parametrize("way", WAYS)
async def test_a_connection_that_breaks_at_any_byte_is_unavailable_and_then_replaced(postgres_dsn, way):
    async with tunnel_to(socket_of(postgres_dsn)) as tunnel:
        dsn = f"postgresql://postgres@127.0.0.1:{tunnel.near}/postgres?sslmode=disable"
        allowed, ends = 0, []
        while tunnel.resets == len(ends):  # the connection broke: what is said on it is longer
            tunnel.cut = {way: allowed}
            ends.append(await how_it_ends(tunnel, dsn))
            allowed += 1
    assert ends.index("broken in use") > 100
    assert ends[ends.index("broken in use") :].count("not opened") == 0
    assert ends.count("broken in use") > 100


async def how_it_ends(tunnel, dsn) -> str:
    """Opens a pool, uses its connection, which may break at any time, and then makes do with others."""
    try:
        async with bridge.open_pool(dsn, max_size=2) as pool:
            tunnel.cut = {}
            try:
                async with pool.connection() as connection:
                    await connection.execute("CREATE TEMP TABLE t (n int); INSERT INTO t VALUES (1), (2)")
                    assert len(await connection.fetch("SELECT n FROM t WHERE n > $1", 0)) == 2
                assert await pool.fetchval("SELECT $1::int", 7) == 7
            except StoreUnavailable:
                assert await pool.fetchval("SELECT 1") == 1
                return "broken in use"
            return "unbroken"
    except StoreUnavailable:
        return "not opened"


async def test_a_refused_value_is_a_refused_row(pool):
    await pool.execute("CREATE TABLE t (n int CHECK (n > 0))")
    for sql, value in (("INSERT INTO t VALUES ($1)", 0), ("SELECT $1::text::int", "x"), ("SELECT $1::int", "x")):
        with pytest.raises(RowRefused):
            await pool.execute(sql, value)
    assert await pool.fetchval("SELECT 1") == 1


async def test_a_wrong_statement_is_a_bug_and_passes_as_it_is(pool):
    with pytest.raises(Exception, match="no_such_table") as raised:
        await pool.execute("SELECT * FROM no_such_table")
    assert not isinstance(raised.value, StoreUnavailable | RowRefused)


async def test_a_server_that_became_read_only_is_left_for_another(pool):
    async def processes():
        return {await pool.fetchval("SELECT pg_backend_pid()") for _ in range(3)}

    before = await processes()
    await pool.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
    with pytest.raises(StoreUnavailable, match="read-only"):
        await pool.execute("CREATE TABLE t (n int)")
    assert not before & await processes()
    await pool.execute("CREATE TABLE t (n int)")


async def test_a_block_that_fails_is_rolled_back_and_its_connection_closed(pool):
    await pool.execute("CREATE TABLE t (n int)")

    async def insert_and_fail():
        async with pool.connection() as connection:
            await connection.execute("BEGIN")
            await connection.execute("INSERT INTO t VALUES (1)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await insert_and_fail()
    assert await pool.fetchval("SELECT count(*) FROM t") == 0


async def test_a_cancelled_block_is_rolled_back(pool):
    await pool.execute("CREATE TABLE t (n int)")
    with trio.CancelScope() as scope:
        async with pool.connection() as connection:
            await connection.execute("BEGIN")
            await connection.execute("INSERT INTO t VALUES (1)")
            scope.cancel()
            await trio.lowlevel.checkpoint()
    assert scope.cancelled_caught
    assert await pool.fetchval("SELECT count(*) FROM t") == 0


async def test_the_users_own_error_comes_out_of_the_pool_by_itself(postgres_dsn):
    with pytest.raises(ZeroDivisionError):
        async with bridge.open_pool(postgres_dsn):
            raise ZeroDivisionError


async def test_a_pool_is_used_from_tasks_that_began_before_it(postgres_dsn):
    sender, receiver = trio.open_memory_channel[bridge.Pool](0)
    answers = []

    async def early():
        with receiver:
            answers.append(await (await receiver.receive()).fetchval("SELECT 1"))
            await receiver.receive()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(early)
        await trio.testing.wait_all_tasks_blocked()
        async with bridge.open_pool(postgres_dsn) as pool:
            await sender.send(pool)
            await sender.send(pool)
        sender.close()
    assert answers == [1]


@pytest.mark.parametrize("dsn", ["http://db/jobs", "postgresql://db:port/jobs"])
async def test_an_address_that_cannot_be_read_is_a_value_error(dsn):
    with pytest.raises(ValueError, match="the database address cannot be used"):
        async with bridge.open_pool(dsn):
            raise AssertionError


async def test_a_server_that_is_not_there_is_unavailable(tmp_path):
    for dsn in (f"postgresql://u@/d?host={tmp_path}", f"postgresql://u@127.0.0.1:{free_port()}/d"):
        with pytest.raises(StoreUnavailable):
            async with bridge.open_pool(dsn):
                raise AssertionError


async def test_a_database_that_is_not_there_is_unavailable(postgres_dsn):
    with pytest.raises(StoreUnavailable, match="does not exist"):
        async with bridge.open_pool(postgres_dsn.replace("/test_", "/no_")):
            raise AssertionError


async def test_a_server_that_accepts_and_says_nothing_is_unavailable_in_time():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dsn = f"postgresql://u@127.0.0.1:{silent.getsockname()[1]}/d"
        with trio.fail_after(PATIENCE), pytest.raises(StoreUnavailable):
            async with bridge.open_pool(dsn, connect_timeout=0.05):
                raise AssertionError
