// Loaded into the CDK CLI before itself (node --require): writes down its calls to AWS as recorded.py does.
"use strict";
const fs = require("fs");
const file = process.env.VERIFY_CALLS;

function first(header) {
  return String(Array.isArray(header) ? header[0] : header ?? "");
}

function operation(sent, body) {
  const target = first(sent.getHeader("x-amz-target"));
  const query = new URLSearchParams(sent.path.split("?")[1] ?? "");
  return target.split(".").pop() || body.match(/(?:^|&)Action=(\w+)/)?.[1] || query.get("x-id") || sent.method;
}

function note(sent, answer, body) {
  const signed = first(sent.getHeader("authorization")).match(/Credential=[^/]+\/\d+\/[^/]+\/([^/]+)\//);
  if (!signed) return; // not AWS
  const line = {
    time: new Date().toISOString(),
    by: "cdk",
    service: signed[1],
    operation: operation(sent, body),
    status: answer.statusCode,
    error: answer.statusCode < 400 ? "" : first(answer.headers["x-amzn-errortype"]).split(":")[0],
    request_id: first(answer.headers["x-amzn-requestid"] ?? answer.headers["x-amz-request-id"]),
  };
  fs.appendFileSync(file, JSON.stringify(line) + "\n");
}

for (const kind of file ? ["http", "https"] : []) {
  const library = require(kind);
  const request = library.request;
  library.request = function (...told) {
    const sent = request.apply(this, told);
    let body = "";
    for (const name of ["write", "end"]) {
      const send = sent[name];
      sent[name] = function (chunk, ...rest) {
        if (!body && (typeof chunk === "string" || ArrayBuffer.isView(chunk)))
          body = Buffer.from(chunk).subarray(0, 200).toString("latin1");
        return send.call(this, chunk, ...rest);
      };
    }
    sent.prependListener("response", (answer) => note(sent, answer, body));
    return sent;
  };
}
