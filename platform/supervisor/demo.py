"""The demo's addresses and secrets: the file `var/demo.json` and the banner made of it."""

import json
import shlex
from pathlib import Path
from typing import Any

from supervisor.installation import Installation, write_private

_SAMPLES = {
    "text-generator": {"prompt": "Once upon a time"},
    "echo": {"message": "hello"},
}


def write(installation: Installation, seeded: dict[str, Any]) -> None:
    """Keep what the seed printed, with the addresses of this installation."""
    url = dashboard_url(installation)
    content = {
        "dashboard_url": url,
        "router_url": url,
        "base_domain": installation.base_domain,
        **seeded,
    }
    write_private(installation.demo_file, json.dumps(content, indent=2) + "\n")


def read(file: Path) -> dict[str, Any] | None:
    """What the last `write` kept."""
    if not file.exists():
        return None
    content: dict[str, Any] = json.loads(file.read_text())
    return content


def dashboard_url(installation: Installation) -> str:
    """Where a browser on this machine finds the dashboard."""
    return f"http://localhost:{installation.port}"


def banner(installation: Installation, *, detached: bool) -> str:
    """What to do first, in a form that works when pasted."""
    demo = read(installation.demo_file)
    lines = ["", "Dormouse is up.", "", f"  Dashboard  {dashboard_url(installation)}"]
    if demo is not None:
        lines.append(f"  Sign in    {demo['email']}   password: {demo['password']}")
        lines.append(f"  Try        {_curl(demo['models'][0])}")
    stop = "make down" if detached else "Ctrl-C (or `make down` elsewhere)"
    lines += [f"  Stop       {stop}", f"  Logs       {installation.logs}", ""]
    return "\n".join(lines)


def _curl(model: dict[str, Any]) -> str:
    words = ["curl", f"{model['url']}/query"]
    if model["token"]:
        words += ["-H", f"Authorization: Bearer {model['token']}"]
    words += ["-d", json.dumps(model.get("sample") or {"prompt": "Once upon a time"})]
    return shlex.join(words)
