// The `sf` command as its users type it, against the simulated org.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { org, ready } from "./orgsim.mjs";

const home = mkdtempSync(join(tmpdir(), "sf-"));
const [node, cli] = [process.env.SF_NODE ?? process.execPath, process.env.SF_CLI];
const env = {
  ...process.env,
  HOME: home,
  SF_ACCESS_TOKEN: org.access_token,
  SF_AUTOUPDATE_DISABLE: "true",
  SF_DISABLE_TELEMETRY: "true",
  SF_SKIP_NEW_VERSION_CHECK: "true",
  SF_USE_GENERIC_UNIX_KEYCHAIN: "true",
};
delete env.NODE_OPTIONS;
delete env.NODE_TEST_CONTEXT;

// What `sf … --json` answers.
function sf(...words) {
  return new Promise((resolve, reject) => {
    const options = { env, cwd: home, maxBuffer: 64 << 20, timeout: 120_000 };
    execFile(node, [cli, ...words, "--json"], options, (_, stdout, stderr) => {
      try {
        resolve(JSON.parse(stdout));
      } catch {
        reject(new Error(`sf ${words.join(" ")}: ${stdout}${stderr}`));
      }
    });
  });
}

async function done(...words) {
  const answer = await sf(...words);
  assert.equal(answer.status, 0, `sf ${words.join(" ")}: ${JSON.stringify(answer)}`);
  return answer.result;
}

before(() =>
  done("org", "login", "access-token", "--instance-url", ready.instance_url, "--no-prompt", "--alias", "sim", "--set-default"),
);

after(() => rmSync(home, { recursive: true, force: true }));

test("knows the org", async () => {
  const shown = await done("org", "display", "--target-org", "sim");
  assert.equal(shown.id, org.org_id);
  const limits = await done("org", "list", "limits");
  assert.ok(limits.some((limit) => limit.name === "DailyApiRequests"));
});

test("creates, reads, updates, queries and deletes", async () => {
  const made = await done("data", "create", "record", "--sobject", "Account", "--values", "Name='by sf' Site=S");
  const read = await done("data", "get", "record", "--sobject", "Account", "--record-id", made.id);
  assert.equal(read.Name, "by sf");
  await done("data", "update", "record", "--sobject", "Account", "--record-id", made.id, "--values", "Site=T");
  const found = await done("data", "query", "--query", "SELECT Id, Site FROM Account WHERE Name = 'by sf'");
  assert.deepEqual([found.totalSize, found.records[0].Site], [1, "T"]);
  await done("data", "delete", "record", "--sobject", "Account", "--record-id", made.id);
  const refused = await sf("data", "query", "--query", "SELECT Nothing FROM Account");
  assert.equal(refused.name, "INVALID_FIELD");
});

test("describes", async () => {
  const described = await done("sobject", "describe", "--sobject", "Contact");
  assert.ok(described.fields.some((field) => field.name === "Tandem_Key__c"));
  const objects = await done("sobject", "list", "--sobject", "all");
  assert.ok(objects.includes("Opportunity"));
});

test("grows a tree", async () => {
  const tree = {
    records: [
      {
        attributes: { type: "Account", referenceId: "a" },
        Name: "tree",
        Contacts: { records: [{ attributes: { type: "Contact", referenceId: "c" }, LastName: "leaf" }] },
      },
    ],
  };
  writeFileSync(join(home, "tree.json"), JSON.stringify(tree));
  const grown = await done("data", "import", "tree", "--files", "tree.json");
  assert.equal(grown.length, 2);
});

test("imports, exports and deletes in bulk", async () => {
  const rows = Array.from({ length: 60 }, (_, n) => `bulk ${n},sf-${n},"t, ${n}"\n`);
  writeFileSync(join(home, "in.csv"), `LastName,Tandem_Key__c,Title\n${rows.join("")}`);
  const contact = ["--sobject", "Contact", "--line-ending", "LF", "--wait", "5"];
  const made = await done("data", "import", "bulk", "--file", "in.csv", ...contact);
  assert.deepEqual([made.processedRecords, made.failedRecords], [60, 0]);
  writeFileSync(join(home, "upsert.csv"), "Tandem_Key__c,LastName\nsf-1,M\nsf-x,\n");
  const half = await sf("data", "upsert", "bulk", "--file", "upsert.csv", "--external-id", "Tandem_Key__c", ...contact);
  assert.equal(half.name, "FailedRecordDetailsError");
  const told = await done("data", "bulk", "results", "--job-id", half.data.jobId);
  assert.deepEqual([told.successfulRecords, told.failedRecords], [1, 1]);
  const query = "SELECT Id FROM Contact WHERE Tandem_Key__c LIKE 'sf-%'";
  const out = ["--output-file", "out.csv", "--result-format", "csv", "--wait", "5"];
  const exported = await done("data", "export", "bulk", "--query", query, ...out);
  assert.equal(exported.totalSize, 60);
  const gone = await done("data", "delete", "bulk", "--file", "out.csv", ...contact);
  assert.equal(gone.jobInfo.numberRecordsProcessed, 60);
});
