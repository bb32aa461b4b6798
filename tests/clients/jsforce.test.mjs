// jsforce as its users write it, against the simulated org.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import jsforce from "jsforce";
import { StreamingExtension } from "jsforce/lib/api/streaming.js";
import { VERSION, org, ready } from "./orgsim.mjs";

const { login_url: loginUrl, instance_url: instanceUrl } = ready;
let conn;

before(async () => {
  conn = new jsforce.Connection({ instanceUrl, accessToken: org.access_token, version: VERSION });
});

test("logs in by SOAP, by password grant and with a token", async () => {
  const soap = new jsforce.Connection({ loginUrl, version: VERSION });
  const user = await soap.login(org.username, org.password);
  assert.equal(user.organizationId, org.org_id);
  assert.equal((await soap.query("SELECT Id FROM Organization")).totalSize, 1);
  await soap.logout();

  const oauth2 = { loginUrl, clientId: org.client_id, clientSecret: org.client_secret };
  const password = new jsforce.Connection({ oauth2, version: VERSION });
  assert.equal((await password.login(org.username, org.password)).id, org.user_id);
  assert.equal((await password.identity()).username, org.username);

  const wrong = new jsforce.Connection({ loginUrl, version: VERSION });
  await assert.rejects(wrong.login(org.username, "wrong"), /INVALID_LOGIN/);
});

test("creates, reads, updates and deletes", async () => {
  const made = await conn.sobject("Account").create({ Name: "jsforce" });
  assert.equal(made.success, true);
  assert.equal((await conn.sobject("Account").retrieve(made.id)).Name, "jsforce");
  await conn.sobject("Account").update({ Id: made.id, Site: "S" });
  assert.equal((await conn.sobject("Account").findOne({ Id: made.id }, "Site")).Site, "S");
  assert.equal((await conn.sobject("Account").destroy(made.id)).success, true);
  await assert.rejects(conn.sobject("Account").retrieve(made.id), { errorCode: "NOT_FOUND" });
});

test("upserts by external id", async () => {
  const contact = { LastName: "U", Tandem_Key__c: "js/1 ü" };
  const made = await conn.sobject("Contact").upsert([contact], "Tandem_Key__c");
  assert.equal(made[0].created, true);
  const again = await conn.sobject("Contact").upsert([{ ...contact, FirstName: "F" }], "Tandem_Key__c");
  assert.deepEqual([again[0].created, again[0].id], [false, made[0].id]);
  const one = await conn.sobject("Contact").upsert({ LastName: "V", Tandem_Key__c: "js-2" }, "Tandem_Key__c");
  assert.equal(one.success, true);
});

test("writes collections, allOrNone too, and reads more than 2,000 rows", async () => {
  const rows = Array.from({ length: 2_500 }, (_, i) => ({ LastName: `js${i}`, LeadSource: "Web", Company: "C" }));
  const made = await conn.sobject("Lead").create(rows, { allowRecursive: true });
  assert.equal(made.filter((r) => r.success).length, 2_500);
  const all = await conn.query("SELECT Id, Name FROM Lead WHERE LeadSource = 'Web'", { autoFetch: true, maxFetch: 10_000 });
  assert.deepEqual([all.totalSize, all.records.length, all.done], [2_500, 2_500, true]);
  const mixed = await conn.sobject("Lead").create([{ LastName: "a", Company: "C" }, { LastName: "b" }], { allOrNone: true });
  assert.deepEqual(
    mixed.map((r) => r.errors[0].statusCode),
    ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "REQUIRED_FIELD_MISSING"],
  );
  const ids = all.records.slice(0, 3).map((r) => r.Id);
  const deleted = await conn.sobject("Lead").destroy(ids);
  assert.ok(deleted.every((r) => r.success));
});

test("queries children, groups and dates", async () => {
  const account = await conn.sobject("Account").create({ Name: "parent" });
  await conn.sobject("Contact").create({ LastName: "child", AccountId: account.id });
  const found = await conn
    .sobject("Account")
    .find({ Id: account.id, CreatedDate: jsforce.Date.TODAY }, "Id, Name")
    .include("Contacts")
    .select("LastName")
    .end();
  assert.equal(found[0].Contacts.records[0].LastName, "child");
  const groups = await conn.query("SELECT LeadSource, COUNT(Id) n FROM Lead GROUP BY LeadSource");
  assert.ok(groups.records[0].n > 0);
  await assert.rejects(conn.query("SELECT Nothing FROM Account"), { errorCode: "INVALID_FIELD" });
});

test("calls composite", async () => {
  const base = `/services/data/v${VERSION}`;
  const body = {
    allOrNone: true,
    compositeRequest: [
      { method: "POST", url: `${base}/sobjects/Account`, referenceId: "a", body: { Name: "composite" } },
      { method: "POST", url: `${base}/sobjects/Contact`, referenceId: "c", body: { LastName: "L", AccountId: "@{a.id}" } },
    ],
  };
  const answer = await conn.requestPost(`${base}/composite`, body);
  assert.deepEqual(answer.compositeResponse.map((r) => r.httpStatusCode), [201, 201]);
});

test("describes, and knows the limits", async () => {
  const described = await conn.sobject("Contact").describe();
  assert.ok(described.fields.find((f) => f.name === "Tandem_Key__c").externalId);
  const global = await conn.describeGlobal();
  assert.ok(global.sobjects.some((s) => s.name === "Opportunity"));
  assert.ok((await conn.limits()).DailyApiRequests.Max > 0);
  assert.ok(conn.limitInfo.apiUsage.used > 0);
});

test("lists what was updated and deleted", async () => {
  const from = new Date(Date.now() - 3_600_000);
  const until = new Date(Date.now() + 120_000);
  const updated = await conn.sobject("Account").updated(from, until);
  assert.ok(updated.ids.length > 0);
  const deleted = await conn.sobject("Account").deleted(from, until);
  assert.ok(deleted.deletedRecords.length > 0);
});

test("loads, queries and deletes in bulk", async () => {
  conn.bulk2.pollInterval = 100;
  conn.bulk2.pollTimeout = 60_000;
  const input = Array.from({ length: 450 }, (_, n) => ({
    LastName: n % 100 === 7 ? "" : `bulk ${n}`,
    Title: `a, "b"\n${n}`,
    Tandem_Key__c: `bulk-${n}`,
  }));
  const load = (operation, rows, more) =>
    conn.bulk2.loadAndWaitForResults({ object: "Contact", operation, input: rows, lineEnding: "LF", ...more });
  const made = await load("insert", input);
  assert.deepEqual([made.successfulResults.length, made.failedResults.length], [445, 5]);
  assert.match(made.failedResults[0].sf__Error, /^REQUIRED_FIELD_MISSING:.*:LastName --$/);
  const again = input.slice(0, 3).map((row) => ({ LastName: "again", Tandem_Key__c: row.Tandem_Key__c }));
  const upserted = await load("upsert", again, { externalIdFieldName: "Tandem_Key__c" });
  assert.ok(upserted.successfulResults.every((row) => row.sf__Created === "false"));
  const rows = await (await conn.bulk2.query("SELECT Id, Title FROM Contact WHERE Tandem_Key__c LIKE 'bulk-%'")).toArray();
  assert.equal(rows.length, 445);
  assert.ok(rows.every((row) => row.Title.startsWith('a, "b"\n')));
  const gone = await load("hardDelete", rows.map((row) => ({ Id: row.Id })));
  assert.equal(gone.successfulResults.length, 445);
  const job = conn.bulk2.createJob({ object: "Contact", operation: "insert" });
  await job.open();
  await job.abort();
  assert.equal((await job.check()).state, "Aborted");
  await job.delete();
});

test("hears changes over CometD, from the past and as they come", { timeout: 60_000 }, async () => {
  const channel = "/data/LeadChangeEvent";
  await fetch(`${ready.admin}/orgs/${org.name}/events`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ captured: ["Account", "Contact", "Opportunity", "Lead"] }),
  });
  const first = await conn.sobject("Lead").create({ LastName: "before", Company: "c" });
  const client = conn.streaming.createClient([new StreamingExtension.Replay(channel, -2)]);
  const heard = [];
  const second = new Promise((resolve, reject) => {
    const listening = client.subscribe(channel, (event) => {
      heard.push(event.payload);
      if (heard.length === 2) resolve();
    });
    listening.then(() => conn.sobject("Lead").update({ Id: first.id, LastName: "after" }), reject);
  });
  await second;
  client.disconnect();
  assert.deepEqual(heard.map((p) => p.ChangeEventHeader.changeType), ["CREATE", "UPDATE"]);
  assert.equal(heard[0].Name.LastName, "before");
  assert.deepEqual(heard[1].ChangeEventHeader.recordIds, [first.id]);
});
