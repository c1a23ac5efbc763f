"""The running hub held against its own description: thousands of odd requests, each answered as described."""

import re
import subprocess
import sys
from pathlib import Path

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "unsupported_method"
)


def test_whatever_is_asked_the_hub_answers_as_its_openapi_says(make_hub, tmp_path):
    hub = make_hub(settings="[access]\nrate = 1000000\nburst = 1000000\n")
    for number in range(3):
        hub.post(f"backup-{number}", vm_name="web/01", bytes_transferred=number, total_bytes=9, sender="x/1")
    command = [Path(sys.executable).with_name("st"), "run", f"{hub.url}/openapi.json", "--checks", CHECKS]
    command += ["--phases", "examples,coverage,fuzzing", "--max-examples", "20", "--seed", "1", "--no-color"]
    command += ["--include-path-regex", "^/(api/|metrics|openapi|asyncapi)", "--exclude-path", "/api/v1/feed"]
    command += ["--suppress-health-check", "all", "--request-timeout", "10", "--continue-on-failure"]
    command += ["--generation-database", "none"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    cases = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert cases, done.stdout
    assert 1000 < int(cases[1]) == int(cases[2])
    assert hub.get("/api/v1/health")["ready"]
