// Azurite (3.37) answers 500 to a batch in a container that is signed by an account SAS: its table of what such a
// signature must allow lacks that operation. "Blob Batch" of Azure's documentation asks for what it asks of a batch in
// the service, which is in the table: any permission, as each request of the batch is looked at by itself.
const path = require("path");

const blob = path.join(path.dirname(process.argv[1]), "blob");
const { default: wanted } = require(path.join(blob, "authentication", "OperationAccountSASPermission"));
const { default: operation } = require(path.join(blob, "generated", "artifacts", "operation"));

wanted.set(operation.Container_SubmitBatch, wanted.get(operation.Service_SubmitBatch));
