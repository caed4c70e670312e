"""The demo's addresses and secrets: the file `var/demo.json` and the banner made of it."""

import json
import shlex
from pathlib import Path
from typing import Any

from supervisor.installation import Installation, write_private

_MODEL_KEYS = ("subdomain", "url", "token", "visibility", "protocol")
_SAMPLE = {"prompt": "Once upon a time", "max_characters": 200}


def write(installation: Installation, seeded: dict[str, Any]) -> None:
    """Keep what the seed printed, with the addresses of this installation."""
    url = dashboard_url(installation)
    content = {
        "dashboard_url": url,
        "router_url": url,
        "base_domain": installation.base_domain,
        "email": seeded["email"],
        "password": seeded["password"],
        "api_key": seeded["api_key"],
        "models": [_entry(installation, model) for model in seeded["models"]],
    }
    write_private(installation.demo_file, json.dumps(content, indent=2) + "\n")


def refresh(installation: Installation) -> None:
    """Write the addresses again: port and base domain may differ from the last start's."""
    if (content := read(installation.demo_file)) is not None:
        write(installation, content)


def read(file: Path) -> dict[str, Any] | None:
    """What the last `write` kept."""
    if not file.exists():
        return None
    content: dict[str, Any] = json.loads(file.read_text())
    return content


def dashboard_url(installation: Installation) -> str:
    """Where a browser on this machine finds the dashboard."""
    return f"http://localhost{_suffix(installation.port)}"


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


def _entry(installation: Installation, model: dict[str, Any]) -> dict[str, Any]:
    host = f"{model['subdomain']}.{installation.base_domain}"
    url = f"http://{host}{_suffix(installation.port)}/v1"
    return {key: model[key] for key in _MODEL_KEYS} | {"url": url}


def _suffix(port: int) -> str:
    return "" if port == 80 else f":{port}"


def _curl(model: dict[str, Any]) -> str:
    words = ["curl", f"{model['url']}/query"]
    if model["token"]:
        words += ["-H", f"Authorization: Bearer {model['token']}"]
    words += ["-d", json.dumps(_SAMPLE)]
    return shlex.join(words)
