"""Code that calls a model, ready to be pasted. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from shlex import quote
from typing import Any
from urllib.parse import urlsplit

VARIABLE = "MODEL_TOKEN"


@dataclass(frozen=True, slots=True)
class Snippet:
    """One language's example."""

    language: str
    slug: str
    code: str


def snippets(
    endpoint: str, *, sample: Mapping[str, Any], public: bool, token: str | None = None
) -> list[Snippet]:
    """The same call in three languages; without `token`, it comes from a variable."""
    return [
        Snippet("curl", "curl", _curl(endpoint, sample, public=public, token=token)),
        Snippet("Python", "python", _python(endpoint, sample, public=public, token=token)),
        Snippet(
            "JavaScript", "javascript", _javascript(endpoint, sample, public=public, token=token)
        ),
    ]


def _curl(endpoint: str, sample: Mapping[str, Any], *, public: bool, token: str | None) -> str:
    lines = [f"curl {endpoint}/query"]
    if not public:
        lines.append(f'  -H "Authorization: Bearer {token or "$" + VARIABLE}"')
    lines.append('  -H "Content-Type: application/json"')
    lines.append(f"  -d {quote(_json(sample))}")
    return " \\\n".join(lines)


def _python(endpoint: str, sample: Mapping[str, Any], *, public: bool, token: str | None) -> str:
    address, host = _reachable(endpoint)
    headers = ['"Content-Type": "application/json"']
    if host:
        headers.insert(0, f'"Host": "{host}"')
    if not public:
        value = f'"Bearer {token}"' if token else f'"Bearer " + os.environ["{VARIABLE}"]'
        headers.append(f'"Authorization": {value}')
    modules = ["json", "urllib.request"] if public or token else ["json", "os", "urllib.request"]
    return "\n".join(
        [
            *(f"import {name}" for name in modules),
            "",
            "request = urllib.request.Request(",
            f'    "{address}/query",',
            f"    data=json.dumps({dict(sample)!r}).encode(),",
            "    headers={",
            *(f"        {header}," for header in headers),
            "    },",
            ")",
            "with urllib.request.urlopen(request) as answer:",
            "    print(json.load(answer))",
        ]
    )


def _javascript(
    endpoint: str, sample: Mapping[str, Any], *, public: bool, token: str | None
) -> str:
    headers = ['"Content-Type": "application/json"']
    if not public:
        value = f'"Bearer {token}"' if token else f"`Bearer ${{process.env.{VARIABLE}}}`"
        headers.append(f'"Authorization": {value}')
    lines = [
        f'const answer = await fetch("{endpoint}/query", {{',
        '  method: "POST",',
        "  headers: {",
        *(f"    {header}," for header in headers),
        "  },",
        f"  body: JSON.stringify({_json(sample)}),",
        "});",
        "console.log(await answer.json());",
    ]
    if _reachable(endpoint)[1]:
        lines.insert(0, "// Browsers know every name under localhost; Node.js may not.")
    return "\n".join(lines)


def _reachable(endpoint: str) -> tuple[str, str]:
    """Address and Host header for clients that can't resolve names under localhost."""
    parts = urlsplit(endpoint)
    if not (parts.hostname or "").endswith(".localhost"):
        return endpoint, ""
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://127.0.0.1{port}{parts.path}", parts.netloc


def _json(sample: Mapping[str, Any]) -> str:
    return json.dumps(dict(sample), ensure_ascii=False)
