// What a service does with Encours, from its first ledger to its feed of events.
//
//     cd docs/examples/node && npm ci
//     node service.js [127.0.0.1:50051 [LEDGER]]
//
// Run it twice: every write has a request id, so the second time appends nothing. Stop the server
// while it runs and start it again: it goes on where it was.
"use strict";

const path = require("node:path");
const { setTimeout: sleep } = require("node:timers/promises");
const { promisify } = require("node:util");
const grpc = require("@grpc/grpc-js");
const protoLoader = require("@grpc/proto-loader");
const { details } = require("./errors.js");

const ATTEMPTS = 10;
const DEADLINE_MS = 10_000;
const WATCH_MS = 60_000;
// A call that failed so may have been carried out, or not: repeating it with its request id is safe.
const MAY_HAVE_HAPPENED = new Set([
  grpc.status.UNAVAILABLE,
  grpc.status.UNKNOWN,
  grpc.status.DEADLINE_EXCEEDED,
]);

// WHY strings: a position has 64 bits, and a number of JavaScript only 53.
const PROTO = path.join(__dirname, "../../../proto");
const files = ["batch", "customer", "event_log", "invoice", "ledger", "payment"];
const { v1 } = grpc.loadPackageDefinition(
  protoLoader.loadSync(files.map((file) => `encours/v1/${file}.proto`), {
    includeDirs: [PROTO],
    keepCase: true,
    longs: String,
    enums: String,
    defaults: true,
    oneofs: true,
  }),
).encours;

// Who acts: kept with every fact.
function metadata() {
  const metadata = new grpc.Metadata();
  metadata.set("encours-actor", "example");
  return metadata;
}

// Waits before the next attempt, longer each time; fails where trying again cannot help.
async function pause(error, attempt) {
  const { reason, retryAfter } = details(error);
  const helps = retryAfter !== undefined || MAY_HAVE_HAPPENED.has(error.code);
  if (!helps || attempt === ATTEMPTS) {
    throw error;
  }
  console.error(`${grpc.status[error.code]} ${reason}: trying again`);
  const backoff = Math.min(100 * 2 ** attempt, 2000) * (0.5 + Math.random() / 2);
  await sleep(Math.max(backoff, retryAfter ?? 0));
}

// Calls a method, and repeats the very same request while that may help.
async function call(client, method, request) {
  const once = promisify(client[method].bind(client));
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await once(request, metadata(), { deadline: Date.now() + DEADLINE_MS });
    } catch (error) {
      await pause(error, attempt);
    }
  }
}

const euros = (units) => ({ currency_code: "EUR", units });
const day = (year, month, day) => ({ year, month, day });

// An amount of 0 or more, of whole cents, in integers: never a float.
function text(money) {
  const cents = BigInt(money.units) * 100n + BigInt(money.nanos) / 10_000_000n;
  const digits = String(cents).padStart(3, "0");
  return `${digits.slice(0, -2)}.${digits.slice(-2)} ${money.currency_code}`;
}

function iso(date) {
  const [month, day] = [date.month, date.day].map((part) => String(part).padStart(2, "0"));
  return `${date.year}-${month}-${day}`;
}

// A ledger of its own, and what happens in it.
class Story {
  constructor(address, ledger) {
    const client = (name) => new v1[name](address, grpc.credentials.createInsecure());
    this.ledger_id = ledger;
    this.ledgers = client("LedgerService");
    this.customers = client("CustomerService");
    this.invoices = client("InvoiceService");
    this.payments = client("PaymentService");
    this.batch = client("BatchService");
    this.log = client("EventLogService");
  }

  // A ledger on a test clock, which only this program moves, and a customer in it.
  async begin() {
    const { ledger_id } = this;
    await call(this.ledgers, "CreateLedger", {
      ledger_id,
      // Unique in the log; those of all other writes in their ledger.
      request_id: `${ledger_id}-create`,
      currency_code: "EUR",
      time_zone: "Europe/Paris",
      test_clock: { start_date: day(2026, 1, 5) },
    });
    await call(this.customers, "CreateCustomer", {
      ledger_id,
      request_id: "customer-dupont",
      customer_id: "dupont",
      name: "Dupont SARL",
    });
  }

  invoice(invoice_id, customer_id, units) {
    const { ledger_id } = this;
    const request_id = `issue-${invoice_id}`;
    return { ledger_id, request_id, invoice_id, customer_id, total: euros(units) };
  }

  // The same command again, as after an answer that was lost: the first outcome.
  async issueTwice() {
    const request = this.invoice("F-1", "dupont", 1200);
    const first = await call(this.invoices, "IssueInvoice", request);
    const again = await call(this.invoices, "IssueInvoice", request);
    const { number, total, due_date: due } = first.invoice;
    console.log(`issued: ${number}, ${text(total)}, due ${iso(due)}`);
    const same = again.invoice.number === number && again.position === first.position;
    console.log(`issued again: ${same && again.repeat ? "the same" : "ANOTHER"}`);
  }

  // A part payment, and the balance that it leaves: what one wrote is read.
  async pay() {
    const { ledger_id } = this;
    const { position } = await call(this.payments, "RecordPayment", {
      ledger_id,
      request_id: "payment-1",
      invoice_id: "F-1",
      amount: euros(450),
      method: "PAYMENT_METHOD_TRANSFER",
    });
    const { customer } = await call(this.customers, "GetCustomer", {
      ledger_id,
      customer_id: "dupont",
      min_position: position,
      // Asked as known then, so that a second run sees the same.
      as_known_at: { position },
    });
    const [balance] = customer.balances;
    console.log(
      `${customer.name}: invoiced ${text(balance.invoiced)}, ` +
        `collected ${text(balance.collected)}, outstanding ${text(balance.outstanding)}`,
    );
  }

  // More than is open is refused, with the figures; then what is too much is kept apart.
  async payTooMuch() {
    const { ledger_id } = this;
    try {
      await call(this.payments, "RecordPayment", {
        ledger_id,
        request_id: "payment-2",
        customer_id: "dupont",
        amount: euros(800),
        allocations: [{ invoice_id: "F-1", amount: euros(800) }],
      });
      console.log("NOT REFUSED");
    } catch (error) {
      const { reason, figures } = details(error);
      // Programs match on the reason, never on the text.
      if (reason !== "OVER_ALLOCATION") {
        throw error;
      }
      console.log(`refused: ${reason}, ${figures.asked} asked, ${figures.limit} open`);
    }
    // Another request, so another id: the refused one bound none, but this one's will be bound.
    const { payment } = await call(this.payments, "RecordPayment", {
      ledger_id,
      request_id: "payment-2-as-fits",
      invoice_id: "F-1",
      amount: euros(800),
    });
    console.log(`recorded: ${text(payment.amount)}, of it unapplied ${text(payment.unapplied)}`);
  }

  // Many commands on one call; each stands for itself.
  async issueMany() {
    const requests = [
      this.invoice("F-2", "dupont", 100),
      this.invoice("F-3", "nobody", 200),
      this.invoice("F-4", "dupont", 300),
    ];
    const commands = requests.map((request) => ({ issue_invoice: request }));
    const { results } = await call(this.batch, "Execute", { commands });
    results.forEach(({ outcome, error }, index) => {
      const told = outcome ? outcome.invoice.number : `refused: ${error.reason}`;
      console.log(`${requests[index].invoice_id}: ${told}`);
    });
  }

  // Moves the test clock past the due dates. The position by which all is emitted.
  async daysPass() {
    const { ledger_id } = this;
    const to = day(2026, 2, 10);
    const request = { ledger_id, request_id: "to-february", to };
    return (await call(this.ledgers, "AdvanceClock", request)).position;
  }

  // All invoices, page by page.
  async showInvoices(min_position) {
    const request = { ledger_id: this.ledger_id, page_size: 2, page_token: "", min_position };
    do {
      const page = await call(this.invoices, "ListInvoices", request);
      for (const { invoice_id, status, open } of page.invoices) {
        console.log(`${invoice_id}: ${status.replace("INVOICE_STATUS_", "")}, open ${text(open)}`);
      }
      request.page_token = page.next_page_token;
    } while (request.page_token !== "");
  }

  // The feed of events up to a position. Goes on after the last one where it breaks off.
  async watch(until) {
    // With the days, of which the last one ends it: the filter leaves out what else happens.
    const entities = ["invoice", "payment", "allocation", "day"];
    const filter = { ledger_id: this.ledger_id, entities };
    let [after, attempt] = [0n, 1];
    while (after < BigInt(until)) {
      const request = { filter, after_position: String(after), min_position: until };
      const deadline = Date.now() + WATCH_MS;
      const answers = this.log.WatchEvents(request, metadata(), { deadline });
      try {
        for await (const answer of answers) {
          // A position also comes without an event: what was before it did not pass.
          [after, attempt] = [BigInt(answer.position), 1];
          if (answer.event && answer.event.entity !== "day" && after <= BigInt(until)) {
            console.log(`event ${answer.event.event}`);
          }
          if (after >= BigInt(until)) {
            break;
          }
        }
      } catch (error) {
        await pause(error, attempt);
        attempt += 1;
      } finally {
        answers.cancel();
      }
    }
  }

  close() {
    const { ledgers, customers, invoices, payments, batch, log } = this;
    [ledgers, customers, invoices, payments, batch, log].forEach((client) => client.close());
  }
}

async function main(address = "127.0.0.1:50051", ledger = "example-node") {
  const story = new Story(address, ledger);
  try {
    await story.begin();
    await story.issueTwice();
    await story.pay();
    await story.payTooMuch();
    await story.issueMany();
    const finished = await story.daysPass();
    await story.showInvoices(finished);
    await story.watch(finished);
  } finally {
    story.close();
  }
}

main(...process.argv.slice(2)).catch((error) => {
  console.error(String(error));
  process.exitCode = 1;
});
