// Checks an AsyncAPI document with the parser of those who make the standard, its examples, and
// messages as they were published: one line of JSON each, with subject, headers and payload.
//
// usage: node asyncapi.js DOCUMENT [MESSAGES]
//
// Fields that the document does not know are wrong here: what it does not say nobody may rely on.

"use strict";

const fs = require("node:fs");
const { Parser, DiagnosticSeverity } = require("@asyncapi/parser");
const Ajv = require("ajv/dist/2019");
const addFormats = require("ajv-formats");

function fail(why) {
  console.error(why);
  process.exit(1);
}

/** A subject as a pattern: `{ledger}` is any token but `~`, which stands for none. */
function pattern(address) {
  const escaped = address.replace(/[.*+?^$()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replaceAll("{ledger}", "(?!~)[A-Za-z0-9_%-]+")}$`);
}

/** A schema of objects that have nothing but what it names. */
function closed(schema) {
  if (Array.isArray(schema)) return schema.map(closed);
  if (schema === null || typeof schema !== "object") return schema;
  const entries = Object.entries(schema).map(([name, part]) => [name, closed(part)]);
  const made = Object.fromEntries(entries);
  return made.type === "object" ? { ...made, unevaluatedProperties: false } : made;
}

/** The same of a payload, whose parts are about one object. */
function closedPayload({ allOf, ...rest }) {
  const parts = allOf.map((part) => ({ ...closed(part), unevaluatedProperties: true }));
  return { ...rest, allOf: parts, unevaluatedProperties: false };
}

async function main(path, messages) {
  const text = fs.readFileSync(path, "utf8");
  const { document, diagnostics } = await new Parser().parse(text);
  const wrong = diagnostics.filter((found) => found.severity <= DiagnosticSeverity.Warning);
  if (!document || wrong.length > 0) {
    fail(wrong.map((found) => `${found.path.join(".")}: ${found.message}`).join("\n"));
  }

  const ajv = new Ajv({ allErrors: true, strict: false });
  addFormats(ajv);
  ajv.addKeyword({ keyword: "x-parser-schema-id" });
  const known = new Set(
    Object.keys(JSON.parse(text).components.schemas.EventHeaders.properties),
  );
  const check = (what, schema, value) => {
    if (!schema(value)) fail(`${what}: ${ajv.errorsText(schema.errors)}\n${JSON.stringify(value)}`);
  };
  const events = document.operations().all().map((operation) => {
    const [channel] = operation.channels().all();
    const [message] = operation.messages().all();
    if (!operation.isReceive()) fail(`${operation.id()} is not receive`);
    return {
      name: message.name(),
      subject: pattern(channel.address()),
      headers: ajv.compile(message.headers().json()),
      payload: ajv.compile(closedPayload(message.payload().json())),
      examples: message.examples().all(),
    };
  });
  const checkMessage = (event, headers, payload) => {
    check(`headers of ${event.name}`, event.headers, headers);
    check(event.name, event.payload, payload);
    const strange = Object.keys(headers).find((name) => !known.has(name));
    if (strange !== undefined) fail(`${event.name} has the header ${strange}`);
  };

  let examples = 0;
  for (const event of events) {
    for (const example of event.examples) {
      checkMessage(event, example.headers(), example.payload());
      examples += 1;
    }
  }
  const lines = messages ? fs.readFileSync(messages, "utf8").split("\n").filter(Boolean) : [];
  for (const line of lines) {
    const { subject, headers, payload } = JSON.parse(line);
    const fits = events.filter((event) => event.subject.test(subject));
    if (fits.length !== 1) fail(`${subject} fits ${fits.length} channels`);
    checkMessage(fits[0], headers, payload);
  }
  console.log(
    `${events.length} events, ${examples} examples and ${lines.length} messages are as it says`,
  );
}

main(...process.argv.slice(2)).catch((error) => fail(error.stack));
