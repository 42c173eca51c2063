"""A program over smpclient: `smp_judge.py PORT IMAGE`, "-" for none. It writes what it was told, as JSON.

It asks for the parameters and the images, echoes, uploads the image if there is one, and resets.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any


async def talk(port: str, image: Path | None) -> dict[str, Any]:
    """Talk to an SMP server."""
    from smpclient import SMPClient
    from smpclient.generics import error, success
    from smpclient.requests.image_management import ImageStatesRead, ImageStatesWrite
    from smpclient.requests.os_management import EchoWrite, MCUMgrParametersRead, ResetWrite
    from smpclient.transport.serial import SMPSerialTransport

    told: dict[str, Any] = {}
    async with SMPClient(SMPSerialTransport(), port) as client:
        params = await client.request(MCUMgrParametersRead())
        if success(params):
            told["params"] = [params.buf_size, params.buf_count]
        echo = await client.request(EchoWrite(d="hello"))
        told["echo"] = echo.r if success(echo) else "refused"
        if image is not None:
            data = image.read_bytes()
            async for offset in client.upload(data, first_timeout_s=20.0):
                told["offset"] = offset
        states = await client.request(ImageStatesRead())
        assert not error(states)
        rows = [row for row in states.images if success(states)]
        told["images"] = [
            {"slot": row.slot, "version": row.version, "hash": (row.hash or b"").hex(), "active": row.active}
            for row in rows
        ]
        second = next((row for row in rows if row.slot == 1), None)
        if second is not None and second.hash is not None:
            marked = await client.request(ImageStatesWrite(hash=second.hash))
            told["pending"] = [row.pending for row in marked.images] if success(marked) else "refused"
        # MCUboot answers {"rc": 0}, which smpclient takes for an error without one.
        reset = await client.request(ResetWrite())
        told["reset"] = success(reset) or getattr(reset, "rc", None) == 0
    return told


if __name__ == "__main__":
    path = None if sys.argv[2] == "-" else Path(sys.argv[2])
    sys.stdout.write(json.dumps(asyncio.run(talk(sys.argv[1], path))))
