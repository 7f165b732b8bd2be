"""A client that nobody here wrote: plain grpcio, which learns the services by reflection.

Called with the address of a server, such as 127.0.0.1:50051. Prints what it did, a line each, and
fails where an answer is not what it must be. Nothing is generated beforehand: the messages are
built from the descriptors that the server gives.
"""

import sys

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.rpc import error_details_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from grpc_status import rpc_status

TIMEOUT_SECONDS = 20


class Server:
    """A channel, and the descriptors that the server has given."""

    def __init__(self, address):
        self.channel = grpc.insecure_channel(address)
        grpc.channel_ready_future(self.channel).result(timeout=TIMEOUT_SECONDS)
        self.database = ProtoReflectionDescriptorDatabase(self.channel)
        self.pool = descriptor_pool.DescriptorPool(self.database)

    def services(self):
        return sorted(self.database.get_services())

    def call(self, service, method, **fields):
        """Calls a unary method with a request made of these fields."""
        described = self.pool.FindServiceByName(f"encours.v1.{service}")
        method = described.FindMethodByName(method)
        request = message_factory.GetMessageClass(method.input_type)(**fields)
        answer = message_factory.GetMessageClass(method.output_type)
        stub = self.channel.unary_unary(
            f"/{described.full_name}/{method.name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answer.FromString,
        )
        return stub(request, timeout=TIMEOUT_SECONDS, metadata=(("encours-actor", "python"),))


def euro(units, cents=0):
    return {"currency_code": "EUR", "units": units, "nanos": cents * 10_000_000}


def text(money):
    return f"{money.units}.{money.nanos // 10_000_000:02d} {money.currency_code}"


def expect(what, found, wanted):
    if found != wanted:
        raise SystemExit(f"{what}: expected {wanted!r}, got {found!r}")
    print(f"{what}: {found}")


def main(address):
    server = Server(address)
    found = [name for name in server.services() if name.startswith("encours.v1.")]
    expect("services", len(found), 8)

    server.call(
        "LedgerService",
        "CreateLedger",
        ledger_id="python",
        currency_code="EUR",
        time_zone="Europe/Paris",
        test_clock={"start_date": {"year": 2024, "month": 1, "day": 1}},
    )
    customer = {"ledger_id": "python", "customer_id": "dupont", "name": "Dupont & Fils"}
    server.call("CustomerService", "CreateCustomer", **customer)
    issue = {
        "ledger_id": "python",
        "request_id": "first",
        "customer_id": "dupont",
        "total": euro(1200, 50),
        "terms": {"net_days": {"days": 30}},
    }
    issued = server.call("InvoiceService", "IssueInvoice", **issue)
    expect("number", issued.invoice.number, "INV-2024-00001")
    again = server.call("InvoiceService", "IssueInvoice", **issue)
    expect("the same again is a repeat", (again.repeat, again.position), (True, issued.position))
    paid = server.call(
        "PaymentService",
        "RecordPayment",
        ledger_id="python",
        invoice_id=issued.invoice.invoice_id,
        amount=euro(450),
    )
    answer = server.call(
        "CustomerService",
        "GetCustomer",
        ledger_id="python",
        customer_id="dupont",
        min_position=paid.position,
    )
    balance = answer.customer.balances[0]
    expect("name", answer.customer.name, "Dupont & Fils")
    expect("outstanding", text(balance.outstanding), "750.50 EUR")
    expect("collected", text(balance.collected), "450.00 EUR")

    try:
        server.call(
            "PaymentService",
            "RecordPayment",
            ledger_id="python",
            customer_id="dupont",
            amount=euro(900),
            allocations=[{"invoice_id": issued.invoice.invoice_id, "amount": euro(800)}],
        )
        raise SystemExit("an allocation above the open amount was accepted")
    except grpc.RpcError as error:
        expect("code", error.code().name, "FAILED_PRECONDITION")
        info = error_details_pb2.ErrorInfo()
        details = rpc_status.from_call(error).details
        expect("details", any(detail.Unpack(info) for detail in details), True)
        expect("reason", (info.domain, info.reason), ("encours", "OVER_ALLOCATION"))
        print(f"message: {error.details()}")
        print(f"figures: {dict(sorted(info.metadata.items()))}")


if __name__ == "__main__":
    main(sys.argv[1])
