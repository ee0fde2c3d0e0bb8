// Reads a document as the AsyncAPI tools do, and says everything that they say of it.
const { readFileSync } = require("node:fs");
const { Parser } = require("@asyncapi/parser");
const { ProtoBuffSchemaParser } = require("@asyncapi/protobuf-schema-parser");

const parser = new Parser();
parser.registerSchemaParser(ProtoBuffSchemaParser());
parser.parse(readFileSync(process.argv[2], "utf8")).then(({ document, diagnostics }) => {
  // That there is a newer version is no finding: 3.0 is what most tools read.
  const found = diagnostics.filter(({ code }) => code !== "asyncapi-latest-version");
  for (const { severity, message, path } of found) {
    console.log(severity, path.join("/"), message);
  }
  process.exitCode = document && found.length === 0 ? 0 : 1;
});
