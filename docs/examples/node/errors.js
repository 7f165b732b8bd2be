// The details of an error: what `grpc-status-details-bin` carries, as messages of `google.rpc`.
"use strict";

const protobuf = require("protobufjs");

const types = protobuf.parse(`
  syntax = "proto3";
  package google.rpc;
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }
  message Duration { int64 seconds = 1; int32 nanos = 2; }
  message RetryInfo { Duration retry_delay = 1; }
  message BadRequest {
    message FieldViolation { string field = 1; string description = 2; }
    repeated FieldViolation field_violations = 1;
  }
`, { keepCase: true }).root;

const PREFIX = "type.googleapis.com/";

// Reason and figures of an error, the fields that are malformed, and after how many milliseconds it
// says to try again (undefined where it does not).
function details(error) {
  const found = { reason: "", figures: {}, fields: [], retryAfter: undefined };
  const [bytes] = error.metadata ? error.metadata.get("grpc-status-details-bin") : [];
  const status = bytes ? types.lookupType("google.rpc.Status").decode(bytes) : { details: [] };
  for (const { type_url: url, value } of status.details) {
    const name = url.startsWith(PREFIX) ? url.slice(PREFIX.length) : url;
    const type = types.lookup(name, [protobuf.Type]);
    const detail = type ? type.decode(value) : undefined;
    if (detail && name === "google.rpc.ErrorInfo") {
      found.reason = detail.reason;
      found.figures = { ...detail.metadata };
    } else if (detail && name === "google.rpc.BadRequest") {
      found.fields = detail.field_violations.map((violation) => violation.field);
    } else if (detail && name === "google.rpc.RetryInfo" && detail.retry_delay) {
      const { seconds, nanos } = detail.retry_delay;
      found.retryAfter = Number(seconds) * 1000 + nanos / 1e6;
    }
  }
  return found;
}

module.exports = { details };
