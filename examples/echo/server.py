"""Says back what it hears, and misbehaves on request: the model that tests talk to."""

import json
import os
import signal
import time

from fields import anything, boolean, category, number, text
from model_server import HttpAnswer, Model

model = Model(
    options=[
        category("mood", one_of=["plain", "loud"], description="How to say it back."),
        number("setup_seconds", max=600, default=0.0, description="How long loading takes."),
        boolean("fail_setup", description="Give up while loading."),
        boolean("ignore_sigterm", description="Stay when asked to go."),
    ]
)
# The SDK's way with a zero default would make it 600.
model.options[1].default = model.options[1].spec["default"] = 0


@model.setup
def load(options):
    if options["ignore_sigterm"]:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(options["setup_seconds"])
    if options["fail_setup"]:
        raise RuntimeError("The echo was told to fail while loading.")
    return options


@model.command(
    "echo",
    description="Says back the text.",
    inputs=[
        text("text", default="", description="What to say."),
        number("delay_seconds", default=0, description="How long to think first."),
        number("size", default=0, description="Say this many characters instead."),
        number("status", default=200, description="Answer with this HTTP status."),
        boolean("fail", description="Raise an exception."),
        boolean("crash", description="End the process without an answer."),
        number("hog_mb", default=0, description="Take this much memory and keep it."),
        anything("payload", default={}, description="Any JSON, said back as it is."),
    ],
    outputs=[text("text"), anything("payload"), number("pid")],
)
def echo(options, inputs):
    print(f"echo: {inputs['text'][:200]}", flush=True)
    if inputs["hog_mb"]:
        hogged.append(b"x" * (int(inputs["hog_mb"]) * 1024 * 1024))
    time.sleep(inputs["delay_seconds"])
    if inputs["crash"]:
        os._exit(3)
    if inputs["fail"]:
        raise ValueError("kaboom")
    if inputs["status"] != 200:
        raise HttpAnswer(int(inputs["status"]), {"error": f"status {inputs['status']} as asked"})
    said = "x" * int(inputs["size"]) or inputs["text"]
    said = said.upper() if options["mood"] == "loud" else said
    return {"text": said, "payload": inputs["payload"], "pid": os.getpid()}


def reflect(request):
    """What reached the container, for tests of whatever stands in front of it."""
    body = request.read_body()
    request.reply(
        200,
        {
            "method": request.command,
            "path": request.path,
            "headers": [[name, value] for name, value in request.headers.items()],
            "body": body.decode(errors="replace"),
        },
    )


def stream(request):
    """Server-sent events: `{"count": n, "interval_seconds": s}` in the body."""
    asked = json.loads(request.read_body() or b"{}")
    request.send_response(200)
    request.send_header("Content-Type", "text/event-stream")
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    for number_ in range(asked.get("count", 5)):
        event = b'data: {"number": %d}\n\n' % number_
        request.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
        request.wfile.flush()
        time.sleep(asked.get("interval_seconds", 0.1))
    request.wfile.write(b"0\r\n\r\n")


hogged: list[bytes] = []
model.raw = {"/reflect": reflect, "/stream": stream}

if __name__ == "__main__":
    model.run()
