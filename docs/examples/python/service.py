"""What a service does with Encours, from its first ledger to its feed of events.

    python docs/examples/python/service.py [127.0.0.1:50051 [LEDGER]]

Run it twice: every write has a request id, so the second time appends nothing.
Stop the server while it runs and start it again: it goes on where it was.

Generate the stubs once, and put their folder on PYTHONPATH:
    python -m grpc_tools.protoc -I proto --python_out=target/python \
        --grpc_python_out=target/python proto/encours/v1/*.proto
"""

import random
import sys
import time

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from encours.v1 import (
    batch_pb2,
    batch_pb2_grpc,
    customer_pb2,
    customer_pb2_grpc,
    event_log_pb2,
    event_log_pb2_grpc,
    invoice_pb2,
    invoice_pb2_grpc,
    ledger_pb2,
    ledger_pb2_grpc,
    money_pb2,
    payment_pb2,
    payment_pb2_grpc,
)

ATTEMPTS = 10
DEADLINE_SECONDS = 10
WATCH_SECONDS = 60
# Who acts: kept with every fact.
METADATA = (("encours-actor", "example"),)
# A call that failed so may have been carried out, or not: repeating it with its request id is safe.
MAY_HAVE_HAPPENED = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}


def details(error: grpc.RpcError) -> tuple[str, dict[str, str], float | None]:
    """Reason and figures of an error, and after how many seconds it says to try again."""
    info, retry, delay = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo(), None
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        detail.Unpack(info)
        if detail.Unpack(retry):
            delay = retry.retry_delay.ToTimedelta().total_seconds()
    return info.reason, dict(info.metadata), delay


def pause(error: grpc.RpcError, attempt: int) -> None:
    """Waits before the next attempt, longer each time; fails where trying again cannot help."""
    reason, _, delay = details(error)
    if (delay is None and error.code() not in MAY_HAVE_HAPPENED) or attempt == ATTEMPTS:
        raise error
    backoff = min(0.1 * 2**attempt, 2) * random.uniform(0.5, 1)
    print(f"{error.code().name} {reason}: trying again", file=sys.stderr)
    time.sleep(max(backoff, delay or 0))


def call(method, request):
    """Calls a method, and repeats the very same request while that may help."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return method(request, timeout=DEADLINE_SECONDS, metadata=METADATA)
        except grpc.RpcError as error:
            pause(error, attempt)


def euros(units: int) -> money_pb2.Money:
    return money_pb2.Money(currency_code="EUR", units=units)


def text(money: money_pb2.Money) -> str:
    """An amount of 0 or more, of whole cents, in integers: never a float."""
    cents = money.units * 100 + money.nanos // 10_000_000
    return f"{cents // 100}.{cents % 100:02} {money.currency_code}"


def day(date: money_pb2.Date) -> str:
    return f"{date.year:04}-{date.month:02}-{date.day:02}"


class Story:
    """A ledger of its own, and what happens in it."""

    def __init__(self, channel: grpc.Channel, ledger: str) -> None:
        self.ledger = ledger
        self.ledgers = ledger_pb2_grpc.LedgerServiceStub(channel)
        self.customers = customer_pb2_grpc.CustomerServiceStub(channel)
        self.invoices = invoice_pb2_grpc.InvoiceServiceStub(channel)
        self.payments = payment_pb2_grpc.PaymentServiceStub(channel)
        self.batch = batch_pb2_grpc.BatchServiceStub(channel)
        self.log = event_log_pb2_grpc.EventLogServiceStub(channel)

    def begin(self) -> None:
        """A ledger on a test clock, which only this program moves, and a customer in it."""
        request = ledger_pb2.CreateLedgerRequest(
            ledger_id=self.ledger,
            # Unique in the log; those of all other writes in their ledger.
            request_id=f"{self.ledger}-create",
            currency_code="EUR",
            time_zone="Europe/Paris",
            test_clock=ledger_pb2.TestClock(
                start_date=money_pb2.Date(year=2026, month=1, day=5)
            ),
        )
        call(self.ledgers.CreateLedger, request)
        request = customer_pb2.CreateCustomerRequest(
            ledger_id=self.ledger,
            request_id="customer-dupont",
            customer_id="dupont",
            name="Dupont SARL",
        )
        call(self.customers.CreateCustomer, request)

    def invoice(self, invoice: str, customer: str, units: int) -> invoice_pb2.IssueInvoiceRequest:
        return invoice_pb2.IssueInvoiceRequest(
            ledger_id=self.ledger,
            request_id=f"issue-{invoice}",
            invoice_id=invoice,
            customer_id=customer,
            total=euros(units),
        )

    def issue_twice(self) -> None:
        """The same command again, as after an answer that was lost: the first outcome."""
        request = self.invoice("F-1", "dupont", 1200)
        first = call(self.invoices.IssueInvoice, request)
        again = call(self.invoices.IssueInvoice, request)
        issued = first.invoice
        print(f"issued: {issued.number}, {text(issued.total)}, due {day(issued.due_date)}")
        same = again.invoice.number == issued.number and again.position == first.position
        print(f"issued again: {'the same' if same and again.repeat else 'ANOTHER'}")

    def pay(self) -> None:
        """A part payment, and the balance that it leaves: what one wrote is read."""
        request = payment_pb2.RecordPaymentRequest(
            ledger_id=self.ledger,
            request_id="payment-1",
            invoice_id="F-1",
            amount=euros(450),
            method=money_pb2.PAYMENT_METHOD_TRANSFER,
        )
        paid = call(self.payments.RecordPayment, request)
        request = customer_pb2.GetCustomerRequest(
            ledger_id=self.ledger,
            customer_id="dupont",
            min_position=paid.position,
            # Asked as known then, so that a second run sees the same.
            as_known_at=money_pb2.AsKnownAt(position=paid.position),
        )
        customer = call(self.customers.GetCustomer, request).customer
        (balance,) = customer.balances
        print(
            f"{customer.name}: invoiced {text(balance.invoiced)}, "
            f"collected {text(balance.collected)}, outstanding {text(balance.outstanding)}"
        )

    def pay_too_much(self) -> None:
        """More than is open is refused, with the figures; then what is too much is kept apart."""
        request = payment_pb2.RecordPaymentRequest(
            ledger_id=self.ledger,
            request_id="payment-2",
            customer_id="dupont",
            amount=euros(800),
            allocations=[
                payment_pb2.ExplicitAllocation(invoice_id="F-1", amount=euros(800))
            ],
        )
        try:
            call(self.payments.RecordPayment, request)
            print("NOT REFUSED")
        except grpc.RpcError as error:
            reason, figures, _ = details(error)
            # Programs match on the reason, never on the text.
            if reason != "OVER_ALLOCATION":
                raise
            print(f"refused: {reason}, {figures['asked']} asked, {figures['limit']} open")
        # Another request, so another id: the refused one bound none, but this one's will be bound.
        request = payment_pb2.RecordPaymentRequest(
            ledger_id=self.ledger,
            request_id="payment-2-as-fits",
            invoice_id="F-1",
            amount=euros(800),
        )
        paid = call(self.payments.RecordPayment, request).payment
        print(f"recorded: {text(paid.amount)}, of it unapplied {text(paid.unapplied)}")

    def issue_many(self) -> int:
        """Many commands on one call; each stands for itself. The position of the last one done."""
        requests = [
            self.invoice("F-2", "dupont", 100),
            self.invoice("F-3", "nobody", 200),
            self.invoice("F-4", "dupont", 300),
        ]
        commands = [batch_pb2.Command(issue_invoice=request) for request in requests]
        answer = call(self.batch.Execute, batch_pb2.ExecuteRequest(commands=commands))
        position = 0
        for request, result in zip(requests, answer.results):
            if result.WhichOneof("result") == "outcome":
                position = result.outcome.position
                print(f"{request.invoice_id}: {result.outcome.invoice.number}")
            else:
                print(f"{request.invoice_id}: refused: {result.error.reason}")
        return position

    def days_pass(self) -> int:
        """Moves the test clock past the due dates. The position by which all is emitted."""
        request = ledger_pb2.AdvanceClockRequest(
            ledger_id=self.ledger,
            request_id="to-february",
            to=money_pb2.Date(year=2026, month=2, day=10),
        )
        return call(self.ledgers.AdvanceClock, request).position

    def show_invoices(self, position: int) -> None:
        """All invoices, page by page."""
        token = ""
        while True:
            request = invoice_pb2.ListInvoicesRequest(
                ledger_id=self.ledger, page_size=2, page_token=token, min_position=position
            )
            page = call(self.invoices.ListInvoices, request)
            for invoice in page.invoices:
                status = invoice_pb2.InvoiceStatus.Name(invoice.status)
                status = status.removeprefix("INVOICE_STATUS_")
                print(f"{invoice.invoice_id}: {status}, open {text(invoice.open)}")
            token = page.next_page_token
            if not token:
                return

    def watch(self, until: int) -> None:
        """The feed of events up to a position. Goes on after the last one where it breaks off."""
        # With the days, of which the last one ends it: the filter leaves out what else happens.
        entities = ["invoice", "payment", "allocation", "day"]
        wanted = event_log_pb2.EventFilter(ledger_id=self.ledger, entities=entities)
        after, attempt = 0, 1
        while after < until:
            request = event_log_pb2.WatchEventsRequest(
                filter=wanted, after_position=after, min_position=until
            )
            answers = self.log.WatchEvents(request, timeout=WATCH_SECONDS, metadata=METADATA)
            try:
                for answer in answers:
                    # A position also comes without an event: what was before it did not pass.
                    after, attempt = answer.position, 1
                    if answer.event.entity not in ("", "day") and after <= until:
                        print(f"event {answer.event.event}")
                    if after >= until:
                        answers.cancel()
                        break
            except grpc.RpcError as error:
                pause(error, attempt)
                attempt += 1


def main(address: str = "127.0.0.1:50051", ledger: str = "example-python") -> None:
    with grpc.insecure_channel(address) as channel:
        story = Story(channel, ledger)
        story.begin()
        story.issue_twice()
        story.pay()
        story.pay_too_much()
        story.issue_many()
        finished = story.days_pass()
        story.show_invoices(finished)
        story.watch(finished)


if __name__ == "__main__":
    main(*sys.argv[1:])
