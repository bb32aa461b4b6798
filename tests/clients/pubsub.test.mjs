// salesforce-pubsub-api-client as its users write it: over TLS, with client credentials.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import PubSubApiClient from "salesforce-pubsub-api-client";
import { admin, org, ready } from "./orgsim.mjs";

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const TOPIC = "/data/ContactChangeEvent";
const clients = [];

// One client a subscription: it has one for each topic.
async function connected() {
  const client = new PubSubApiClient(
    {
      authType: "oauth-client-credentials",
      loginUrl: ready.login_url,
      clientId: org.client_id,
      clientSecret: org.client_secret,
      pubSubEndpoint: new URL(ready.pubsub_tls).host,
      rejectUnauthorizedSsl: false,
    },
    quiet,
  );
  clients.push(client);
  await client.connect();
  return client;
}

after(() => clients.forEach((client) => client.close()));

// The events that `act` causes, until there are `count` of them.
async function events(subscribe, count, act) {
  const seen = [];
  await new Promise((resolve, reject) => {
    const bound = setTimeout(() => reject(new Error(`${seen.length} of ${count} events after 10 s`)), 10_000);
    subscribe((subscription, kind, data) => {
      if (kind === "error") reject(data);
      if (kind !== "event") return;
      seen.push(data);
      if (seen.length === count) {
        clearTimeout(bound);
        resolve();
      }
    });
    act?.().catch(reject);
  });
  return seen;
}

const edit = (body) => admin("POST", "/edit", { entity: "Contact", as: "human", ...body });

test("hears what people change, with changed fields named", async () => {
  const { id } = await edit({ op: "create", fields: { LastName: "heard", MailingCity: "C" } });
  const first = await connected();
  const [created] = await events((hear) => first.subscribeFromEarliestEvent(TOPIC, hear, 1), 1);
  assert.equal(created.payload.ChangeEventHeader.changeType, "CREATE");
  assert.equal(created.payload.Name.LastName, "heard");
  assert.equal(created.payload.MailingAddress.City, "C");

  const from = created.replayId;
  const second = await connected();
  const changes = () => edit({ op: "update", id, fields: { FirstName: "F", MailingCity: null } });
  const [changed] = await events((hear) => second.subscribeFromReplayId(TOPIC, hear, 1, from), 1, changes);
  const header = changed.payload.ChangeEventHeader;
  assert.equal(header.changeType, "UPDATE");
  assert.ok(header.changedFields.includes("Name.FirstName"), header.changedFields.join());
  assert.ok(header.nulledFields.includes("MailingAddress.City"), header.nulledFields.join());
  assert.deepEqual(header.recordIds, [id]);
});

test("is told when its replay id is not valid", async () => {
  const third = await connected();
  const subscribe = (hear) => third.subscribeFromReplayId("/data/AccountChangeEvent", hear, 1, 9_999_999_999);
  await assert.rejects(events(subscribe, 1), /replay/i);
});
