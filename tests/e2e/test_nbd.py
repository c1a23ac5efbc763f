"""NBD with real processes: a job file, a disk that nbdkit serves, a qcow2 behind qemu-nbd, a hub that is told."""

import json
import subprocess
import sys

from tests.clientd import servers
from tests.waits import PATIENCE

MIB = 2**20
JOB = "backup-web01-20261123-020000"


def test_a_job_file_makes_a_half_sparse_disk_a_qcow2_and_the_hub_knows_its_allocated_bytes(make_hub, tmp_path):
    hub = make_hub()
    source, target = tmp_path / "source", tmp_path / "target.qcow2"
    with source.open("wb") as file:
        file.truncate(32 * MIB)
        for at in range(0, 32, 2):
            file.seek(at * MIB)
            file.write(bytes([at + 1]) * MIB)
    servers.run("qemu-img", "create", "-f", "qcow2", target, 32 * MIB)
    with servers.nbdkit("-r", "file", str(source)) as exported, servers.qemu_nbd(target, "qcow2") as to:
        job = tmp_path / "job.toml"
        job.write_text(
            f'job_id = "{JOB}"\nvm_name = "web01"\nverify = true\n'
            f'[[disk]]\nsource = "{exported}"\ntarget = "{to}"\n'
        )
        command = [sys.executable, "-m", "clientd", "run", str(job), "--hub", hub.url, "--json"]
        command += ["--state-dir", str(tmp_path / "state")]
        ran = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["bytes_transferred"] == told["total_bytes"] == 16 * MIB
    compared = ["qemu-img", "compare", "-f", "raw", "-F", "qcow2", str(source), str(target)]
    assert subprocess.run(compared, capture_output=True, check=False).returncode == 0
    known = hub.job(JOB)["job"]
    assert (known["status"], known["total_kind"]) == ("completed", "allocated")
    assert known["bytes_transferred"] == known["total_bytes"] == 16 * MIB
