"""Reacts to payments and to overdue invoices of a ledger, each once, for as long as it runs.

    python docs/examples/python/subscriber.py [nats://127.0.0.1:4222 [effects.db [LEDGER]]]

Stop it, kill it, stop the servers, start all again: it goes on where it was. Delete the consumer: it is
given everything again, and does nothing twice. Needs `nats-py`.
"""

import asyncio
import json
import sqlite3
import sys

import nats
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NothingThere
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import NotFoundError

STREAM = "ENCOURS_EVENTS"
CONSUMER = "python-example"
PAUSE_SECONDS = 1


def open_effects(path: str) -> sqlite3.Connection:
    """What was done, and up to which event: in one database, so that both are written together."""
    database = sqlite3.connect(path)
    with database:
        database.execute("CREATE TABLE IF NOT EXISTS effects (position INTEGER PRIMARY KEY, what TEXT)")
        database.execute("CREATE TABLE IF NOT EXISTS done (log_id TEXT, position INTEGER)")
    return database


def amount(money: dict) -> str:
    """An amount as text. JSON leaves out what is 0."""
    cents = money.get("nanos", 0) // 10_000_000
    return f"{money.get('units', '0')}.{cents:02} {money['currencyCode']}"


def effect(event: dict) -> str | None:
    """What to do about an event; None where that is nothing."""
    if event["event"] == "payment.recorded":
        return f"received {amount(event['paymentRecorded']['amount'])} from {event['customerId']}"
    if event["event"] == "payment.reversed":
        return f"{event['customerId']}: {amount(event['paymentReversed']['amount'])} taken back"
    if event["event"] == "invoice.overdue":
        body = event["invoiceOverdue"]
        return f"call {event['customerId']} about {body['number']}: {amount(body['open'])} open"
    return None


def handle(message, database: sqlite3.Connection) -> None:
    """Acts on a message, unless that was done before."""
    log_id = message.headers["Encours-Log-Id"]
    position = int(message.headers["Encours-Position"])
    known, done = database.execute("SELECT log_id, position FROM done").fetchone() or (log_id, 0)
    if known != log_id:
        raise ValueError(f"the stream has log {log_id}, what was done is of log {known}")
    if position <= done:
        print(f"again: {position}", flush=True)
        return
    what = effect(json.loads(message.data))
    with database:  # one transaction
        if what is not None:
            database.execute("INSERT INTO effects VALUES (?, ?)", (position, what))
        database.execute("DELETE FROM done")
        database.execute("INSERT INTO done VALUES (?, ?)", (log_id, position))
    print(f"{position}: {what}", flush=True)


async def follow(stream, ledger: str, database: sqlite3.Connection) -> None:
    """Takes messages until something goes wrong."""
    config = ConsumerConfig(
        durable_name=CONSUMER,
        filter_subjects=[f"encours.v1.{ledger}.payment.>", f"encours.v1.{ledger}.invoice.overdue"],
        ack_policy=AckPolicy.EXPLICIT,
        # One at a time: what is given again comes before what follows it, so that one position tells
        # all that was done.
        max_ack_pending=1,
        ack_wait=10,
    )
    try:
        await stream.consumer_info(STREAM, CONSUMER)
    except NotFoundError:
        await stream.add_consumer(STREAM, config)
    events = await stream.pull_subscribe_bind(CONSUMER, STREAM)
    while True:
        try:
            messages = await events.fetch(1, timeout=PAUSE_SECONDS)
        except NothingThere:
            continue
        for message in messages:
            handle(message, database)
            # Only now: what is not acknowledged is given again.
            await message.ack_sync()


async def main(url: str = "nats://127.0.0.1:4222", path: str = "effects.db", ledger: str = "acme"):
    database = open_effects(path)
    connection = await nats.connect(
        url, allow_reconnect=True, max_reconnect_attempts=-1, reconnect_time_wait=PAUSE_SECONDS
    )
    while True:
        try:
            await follow(connection.jetstream(), ledger, database)
        except (NatsError, OSError) as error:
            print(f"{error}: trying again", file=sys.stderr, flush=True)
            await asyncio.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
