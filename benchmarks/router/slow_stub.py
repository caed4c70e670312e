"""A model that streams events, takes uploads, takes its time, and says when it was hung up on."""

import asyncio
import sys
import time

hung_up_at = 0.0


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection: `/v1/events`, `/v1/upload`, `/v1/slow`, or since when it was hung up on."""
    global hung_up_at
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            path = head.split(b" ")[1]
            _, named, length = head.partition(b"Content-Length: ")
            await reader.readexactly(int(length.split(b"\r")[0]) if named else 0)
            if path == b"/v1/events":
                await _stream(writer)
            elif path == b"/v1/upload":
                _answer(writer, b"taken")
            elif path == b"/v1/slow":
                try:
                    async with asyncio.timeout(5):
                        gone = not await reader.read(1)
                except TimeoutError:
                    gone = False
                if gone:
                    hung_up_at = time.monotonic()
                    return
                _answer(writer, b"late")
            else:
                _answer(writer, b"%.6f" % hung_up_at)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _stream(writer: asyncio.StreamWriter) -> None:
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    for _ in range(20):
        event = b"data: %.6f\n\n" % time.monotonic()
        writer.write(b"%x\r\n%b\r\n" % (len(event), event))
        await writer.drain()
        await asyncio.sleep(0.02)
    writer.write(b"0\r\n\r\n")


def _answer(writer: asyncio.StreamWriter, body: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    writer.write(head % len(body) + body)


async def main() -> None:
    """Listen on the port of the command line."""
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), backlog=1024)
    await server.serve_forever()


asyncio.run(main())
