"""A subscriber of public events with a durable consumer: acts once on each, whatever is repeated.

usage: subscriber.py URL EFFECTS LAST [CRASH_AFTER]

Appends one line for each payment and each overdue invoice of the ledger acme to the file EFFECTS, until
it has seen the event at position LAST. Its state is that file alone: position and text of what it did.
The stream is ENCOURS_EVENTS, or what the variable STREAM of the environment names.
With CRASH_AFTER it ends after so many messages, once it has acted on one and not acknowledged it.
"""

import asyncio
import json
import os
import sys

import nats
from nats.errors import TimeoutError as NothingThere
from nats.js.api import ConsumerConfig

STREAM = os.environ.get("STREAM", "ENCOURS_EVENTS")


def done_before(path):
    """The position that was acted on last."""
    if not os.path.exists(path):
        return 0
    with open(path, encoding="utf-8") as effects:
        lines = effects.read().splitlines()
    return int(lines[-1].split(" ")[0]) if lines else 0


def effect(event):
    """What to do about an event; None where that is nothing."""
    if event["event"] == "payment.recorded":
        money = event["paymentRecorded"]["amount"]
        return f"received {money['units']} {money['currencyCode']} from {event['customerId']}"
    if event["event"] == "invoice.overdue":
        return f"call {event['customerId']} about {event['invoiceOverdue']['number']}"
    return None


async def main(url, path, last, crash_after):
    done = done_before(path)
    connection = await nats.connect(url, max_reconnect_attempts=-1, reconnect_time_wait=0.1)
    stream = connection.jetstream()
    # One at a time: what is given again comes before what follows it, so that a position tells all.
    config = ConsumerConfig(max_ack_pending=1, ack_wait=2)
    events = await stream.pull_subscribe(
        "encours.v1.acme.>", durable="books", stream=STREAM, config=config
    )
    seen = 0
    repeated = 0
    for _ in range(5000):
        try:
            messages = await events.fetch(1, timeout=0.5)
        except NothingThere:
            continue
        for message in messages:
            position = int(message.headers["Encours-Position"])
            event = json.loads(message.data)
            assert int(event["position"]) == position, event
            assert message.headers["ce-type"] == f"encours.v1.{event['event']}", message.headers
            repeated += position <= done
            act = effect(event)
            is_new = position > done and act is not None
            if is_new:
                with open(path, "a", encoding="utf-8") as effects:
                    effects.write(f"{position} {act}\n")
                done = position
            seen += 1
            if is_new and 0 < crash_after <= seen:
                os._exit(9)
            await message.ack_sync()
            if position >= last:
                await connection.close()
                print(f"{seen} messages, {repeated} of them again")
                return
    raise SystemExit(f"position {last} never came; {seen} messages did")


if __name__ == "__main__":
    URL, EFFECTS, LAST = sys.argv[1:4]
    CRASH_AFTER = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    asyncio.run(main(URL, EFFECTS, int(LAST), CRASH_AFTER))
