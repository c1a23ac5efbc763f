"""Options: every word of the command line is understood, or refused in a sentence."""

import json

import pytest

from clientd import __main__ as command
from clientd.cli import options, parser
from clientd.core.order import Order
from clientd.errors import UsageError


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a=b", ("a", "b")),
        ("/dir/a.img=/dir/b.img", ("/dir/a.img", "/dir/b.img")),
        ("a=b=c", ("a=b", "c")),
        ("=a=b", ("=a", "b")),
        ("a==", ("a", "=")),
        ("==b", ("=", "b")),
        ("nbd+unix:///a?socket=/s=/dir/b.img", ("nbd+unix:///a?socket=/s", "/dir/b.img")),
        ("a=nbd+unix:///b?socket=/s", ("a", "nbd+unix:///b?socket=/s")),
        (
            "nbds+unix:///a?socket=/s=nbd+unix:///b?socket=/t",
            ("nbds+unix:///a?socket=/s", "nbd+unix:///b?socket=/t"),
        ),
    ],
)
def test_a_disk_parts_at_the_last_equals_sign_that_leaves_two_names(text, parts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert options.part(text) == parts


def test_a_source_that_exists_decides_where_names_hold_equals_signs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vm=1").touch()
    assert options.part("vm=1=out=1") == ("vm=1", "out=1")
    (tmp_path / "vm=1=out").touch()
    assert options.part("vm=1=out=1") == ("vm=1=out", "1")


@pytest.mark.parametrize("text", ["", "a", "=", "a=", "=b"])
def test_a_disk_without_two_names_is_refused(text):
    with pytest.raises(UsageError, match=r"is not SRC=DST"):
        options.part(text)


def test_the_job_id_comes_from_the_option_else_from_the_environment():
    there = {"MIGRATEKIT_JOB_ID": "repl-x"}
    assert options.job_id(["backup-y"], there) == "backup-y"
    assert options.job_id(["backup-y", "backup-y"], there) == "backup-y"
    assert options.job_id(None, there) == "repl-x"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (None, "no job id was given"),
        (["a", "b"], r"several job ids were given \('a', 'b'\)"),
        (["a\nb"], "must not contain control characters"),
        (["x" * 201], "must be 1 to 200 bytes"),
        (["\udcff"], "must be valid UTF-8"),
    ],
)
def test_a_job_id_that_the_hub_would_refuse_is_refused_here(given, sentence):
    with pytest.raises(UsageError, match=sentence):
        options.job_id(given, {})


def test_the_job_type_follows_the_id_unless_it_is_given():
    assert options.job_type(None, "repl-1") == "replication"
    assert options.job_type("verify", "repl-1") == "verify"
    with pytest.raises(UsageError, match="the job type 'Backup!' must be"):
        options.job_type("Backup!", "repl-1")


def test_the_hub_s_address_is_the_option_s_the_environment_s_or_the_tunnel_s():
    assert options.hub_url("http://h:1", {"SHA_API_URL": "http://e"}) == "http://h:1"
    assert options.hub_url(None, {"SHA_API_URL": "https://e"}) == "https://e"
    assert options.hub_url(None, {}) == "http://localhost:8082"
    for url in ("localhost:8082", "ftp://x", "http://", "http:///", "http://a b", "http://a\n"):
        with pytest.raises(UsageError, match="no http"):
            options.hub_url(url, {})


@pytest.mark.parametrize(
    "place", ["h:port", "h:0", "h:65536", "[::1", "a..b", ".:80", "a" * 64, "x" * 64 + ".example", "?q", "@:80"]
)
def test_a_hub_s_address_that_nobody_could_reach_is_refused(place):
    with pytest.raises(UsageError, match="no http"):
        options.hub_url(f"http://{place}", {})


@pytest.mark.parametrize("place", ["h:1", "[::1]:80", "größe.example/x", "user@h", "10.0.0.1", "h."])
def test_a_hub_s_address_may_have_any_host(place):
    assert options.hub_url(f"http://{place}", {}) == f"http://{place}"


def test_a_machine_s_name_must_be_printable():
    assert options.vm_name("größe 1") == "größe 1"
    with pytest.raises(UsageError, match="must be printable"):
        options.vm_name("a\nb")


def test_a_job_has_at_least_one_disk_and_at_most_256():
    assert options.pairs(["a=b", "c=d"]) == [("a", "b"), ("c", "d")]
    with pytest.raises(UsageError, match="no disk was given"):
        options.pairs(None)
    with pytest.raises(UsageError, match="257 disks were given"):
        options.pairs(["a=b"] * 257)


def test_a_token_is_read_from_a_private_file_only(tmp_path):
    path = tmp_path / "token"
    assert options.token(None) is None
    path.write_text("sd1_abc\n")
    path.chmod(0o600)
    assert options.token(str(path)) == "sd1_abc"
    path.chmod(0o640)
    with pytest.raises(UsageError, match="open to others: run chmod 600"):
        options.token(str(path))
    path.chmod(0o600)
    for content in (b"", b"two words\n", b"two\nlines", b"\xff"):
        path.write_bytes(content)
        with pytest.raises(UsageError, match="holds no token"):
            options.token(str(path))
    with pytest.raises(UsageError, match=r"cannot be read: ENOENT \(No such file or directory\): check its path"):
        options.token(str(tmp_path / "missing"))


def test_the_command_says_its_version_and_its_help(capsys):
    assert command.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("clientd ")
    assert command.main([]) == 2
    assert "run" in capsys.readouterr().out
    with pytest.raises(SystemExit) as caught:
        command.main(["run", "--help"])
    assert caught.value.code == 0
    assert "exit codes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--disk", "a=b"], "no job id was given"),
        (["--job-id", "x"], "no disk was given"),
        (["--job-id", "x", "--disk", "missing=b"], "the source 'missing' cannot be read: ENOENT"),
        (["--job-id", "x", "--disk", "a=a"], "the target 'a' is the source 'a' itself"),
        (["--job-id", "x", "--disk", "a=b", "--disk", "c=b"], "the target 'b' is named twice"),
        (["--job-id", "x", "--job-id", "y", "--disk", "a=b"], "several job ids"),
        (
            ["--job-id", "x", "--disk", "nbd://=b"],
            "the NBD address 'nbd://' names no host: write nbd://HOST/EXPORT",
        ),
        (["--job-id", "x", "--disk", "a=nbd://h/x?y=z"], "has an unknown parameter 'y': leave it out"),
        (["--job-id", "x", "--disk", "a=b", "--disk", "c=nbd://h:99999"], "has no possible port"),
        (["--job-id", "x", "--disk", "nbd+tcp://h/x=b"], "begins with nbd+tcp://, which is none of"),
        (["--job-id", "x", "--source-command", "nbdkit null", "--target", "nbd:///x"], "names no host"),
        (["--job-id", "x", "--disk", "a=b", "--hub", "nowhere"], "the hub's address 'nowhere'"),
        (["--job-id", "x", "--disk", "a=b", "--token-file", "missing"], "the token file 'missing'"),
    ],
)
def test_a_wrong_order_exits_2_with_a_sentence_and_touches_nothing(
    arguments, sentence, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MIGRATEKIT_JOB_ID", raising=False)
    (tmp_path / "a").write_bytes(b"x" * 5000)
    (tmp_path / "c").write_bytes(b"y" * 5000)
    assert command.main(["run", *arguments]) == 2
    said = capsys.readouterr()
    assert sentence in said.err
    assert said.out == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "c"]
    assert (tmp_path / "a").read_bytes() == b"x" * 5000


@pytest.mark.parametrize("name", ["run", "submit"])
def test_a_job_file_with_a_wrong_address_is_refused_whole_with_its_place(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").write_bytes(b"x" * 5000)
    disks = [{"source": "a", "target": "b"}, {"source": "nbd://", "target": "c"}]
    (tmp_path / "job.json").write_text(json.dumps({"job_id": "backup-x", "disk": disks}))
    assert command.main([name, "job.json"]) == 2
    said = capsys.readouterr()
    assert "the job file 'job.json' is wrong: disk[1].source: the NBD address 'nbd://' names no host" in said.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "job.json"]


def test_an_interrupt_before_the_work_exits_130(monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(parser, "parser", interrupted)
    assert command.main([]) == 130


def test_the_legacy_endpoint_is_told_where_its_variable_asks_for_it():
    assert options.progress_id({"SNA_API_URL": "http://sna"}) == ""
    assert options.progress_id({"MIGRATEKIT_PROGRESS_JOB_ID": "p 1"}) == "p 1"
    assert options.legacy_url({}) == "http://localhost:8081"
    assert options.legacy_url({"SNA_API_URL": "http://10.0.0.1:8081"}) == "http://10.0.0.1:8081"
    order = Order(job_id="x", job_type="backup", disks=())
    named = options.with_progress_id(order, {"MIGRATEKIT_PROGRESS_JOB_ID": "p"})
    assert named.progress_job_id == "p"
    assert options.with_progress_id(named, {"MIGRATEKIT_PROGRESS_JOB_ID": "q"}).progress_job_id == "p"
    assert options.with_progress_id(order, {}) == order


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"MIGRATEKIT_PROGRESS_JOB_ID": "x" * 201}, "MIGRATEKIT_PROGRESS_JOB_ID .* must be 1 to 200 bytes"),
        ({"MIGRATEKIT_PROGRESS_JOB_ID": "p", "SNA_API_URL": "ftp://x"}, "SNA_API_URL 'ftp://x' is no http"),
    ],
)
def test_a_legacy_endpoint_that_cannot_be_one_is_refused(variables, sentence):
    with pytest.raises(UsageError, match=sentence):
        options.legacy_url(variables) + options.progress_id(variables)


def test_flush_takes_its_options_and_an_attempt_is_counted_where_none_is_given():
    parsed = parser.parser().parse_args(["flush", "--wait", "3", "--state-dir", "/x", "--json"])
    assert (parsed.command, parsed.final_wait, parsed.state_dir, parsed.json) == ("flush", 3.0, "/x", True)
    assert parser.parser().parse_args(["run"]).attempt is None
