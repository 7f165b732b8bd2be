"""The first balance: a ledger, a customer, an invoice, a payment. Run against `encours serve`.

Generate the stubs once, and put their folder on PYTHONPATH:
    python -m grpc_tools.protoc -I proto --python_out=target/python \
        --grpc_python_out=target/python proto/encours/v1/*.proto
"""

import os
import sys

import grpc

from encours.v1 import customer_pb2 as customers
from encours.v1 import customer_pb2_grpc, invoice_pb2_grpc, ledger_pb2_grpc, payment_pb2_grpc
from encours.v1 import invoice_pb2 as invoices
from encours.v1 import ledger_pb2 as ledgers
from encours.v1 import money_pb2 as money
from encours.v1 import payment_pb2 as payments


def euros(units: int, cents: int = 0) -> money.Money:
    return money.Money(currency_code="EUR", units=units, nanos=cents * 10_000_000)


def main(target: str) -> None:
    with grpc.insecure_channel(target) as channel:
        # Request ids make every call safe to repeat: run this twice, and nothing is added.
        ledger_pb2_grpc.LedgerServiceStub(channel).CreateLedger(
            ledgers.CreateLedgerRequest(
                request_id="python-first-ledger",
                ledger_id="python-first",
                currency_code="EUR",
                time_zone="Europe/Paris",
            )
        )
        customer_stub = customer_pb2_grpc.CustomerServiceStub(channel)
        customer_stub.CreateCustomer(
            customers.CreateCustomerRequest(
                request_id="first-customer",
                ledger_id="python-first",
                customer_id="dupont",
                name="Dupont SARL",
            )
        )
        invoice = invoice_pb2_grpc.InvoiceServiceStub(channel).IssueInvoice(
            invoices.IssueInvoiceRequest(
                request_id="first-invoice",
                ledger_id="python-first",
                customer_id="dupont",
                total=euros(1200),
            )
        ).invoice
        paid = payment_pb2_grpc.PaymentServiceStub(channel).RecordPayment(
            payments.RecordPaymentRequest(
                request_id="first-payment",
                ledger_id="python-first",
                amount=euros(450),
                method=money.PAYMENT_METHOD_TRANSFER,
                invoice_id=invoice.invoice_id,
            )
        )
        # Read your own write: the answer is at least as new as the payment.
        customer = customer_stub.GetCustomer(
            customers.GetCustomerRequest(
                ledger_id="python-first", customer_id="dupont", min_position=paid.position
            )
        ).customer
        for balance in customer.balances:
            print(
                f"{customer.name}: invoiced {balance.invoiced.units} EUR, "
                f"outstanding {balance.outstanding.units} EUR ({invoice.number})"
            )


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("ENCOURS_TARGET", "127.0.0.1:50051"))
