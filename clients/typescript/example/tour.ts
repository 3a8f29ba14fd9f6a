/**
 * A tour through the API: `PARLANCE_URL=… PARLANCE_KEY=… npm run example`, with the key of an owner. It writes to made-up
 * numbers: try it on `parlance demo` or beside `parlance simulate twilio`.
 */
import assert from "node:assert/strict";
import { connect, pages, ParlanceError, type Parlance, take } from "../src/index.js";

function setting(name: string): string {
  const value = process.env[name];
  assert.ok(value, `${name} is not set`);
  return value;
}

async function people(api: Parlance): Promise<void> {
  const me = await take(api.GET("/api/v1/me"));
  console.log(`I am ${me.data.user?.name ?? "a key"} of ${me.data.org.name}`);

  const added = await take(api.POST("/api/v1/staff", { body: { email: "tom@example.com", name: "Tom", role: "agent" } }));
  assert.ok(added.data.password, "a password is made and shown once");
  const path = { id: added.data.id };
  const changed = await take(api.PUT("/api/v1/staff/{id}", { params: { path }, body: { role: "admin" } }));
  assert.equal(changed.data.role, "admin");
  const made = await take(api.POST("/api/v1/keys", { body: { name: "Tom's", user_id: path.id, scopes: ["read"] } }));
  assert.ok(made.data.token);
  const keys = await take(api.GET("/api/v1/keys"));
  assert.ok(keys.data.some((key) => key.id === made.data.id));
  await take(api.DELETE("/api/v1/keys/{id}", { params: { path: { id: made.data.id } } }));
  await take(api.DELETE("/api/v1/staff/{id}", { params: { path } }));
  const staff = await take(api.GET("/api/v1/staff", { params: { query: { limit: 200 } } }));
  assert.ok(!staff.data.some((person) => person.id === path.id));
}

async function accounts(api: Parlance): Promise<void> {
  const { data } = await take(api.GET("/api/v1/accounts"));
  const first = data[0];
  assert.ok(first, "the organisation has an account");
  const params = { path: { id: first.id } };
  const renamed = await take(api.PUT("/api/v1/accounts/{id}", { params, body: { name: "Front desk" } }));
  assert.equal(renamed.data.name, "Front desk");
  const shown = await take(api.GET("/api/v1/accounts/{id}", { params }));
  assert.equal(shown.data.name, "Front desk");
  const settings = await take(api.GET("/api/v1/settings/providers"));
  assert.equal(settings.data.sms_provider, "twilio");
  await take(api.PUT("/api/v1/settings/providers", { body: { ghl_location_id: "loc_example" } }));
}

async function contacts(api: Parlance): Promise<number> {
  const jane = await take(api.POST("/api/v1/contacts", { body: { first_name: "Jane", phone: "+14155550101", email: "jane@example.com" } }));
  const other = await take(api.POST("/api/v1/contacts", { body: { first_name: "J.", phone: "+14155550102" } }));
  const params = { path: { id: jane.data.id } };
  await take(api.PUT("/api/v1/contacts/{id}", { params, body: { last_name: "Doe" } }));
  const taken = take(api.POST("/api/v1/contacts", { body: { first_name: "Again", phone: "+14155550101" } }));
  await assert.rejects(taken, (error) => error instanceof ParlanceError && error.status === 409 && error.code === "identity_taken");
  const merged = await take(api.POST("/api/v1/contacts/{id}/merge", { params, body: { contact_id: other.data.id } }));
  assert.equal(merged.data.identities.length, 3);
  const found = await take(api.GET("/api/v1/contacts", { params: { query: { search: "jane@" } } }));
  assert.deepEqual(found.data.map((contact) => contact.id), [jane.data.id]);
  const shown = await take(api.GET("/api/v1/contacts/{id}", { params: { path: { id: other.data.id } } }));
  assert.equal(shown.data.id, jane.data.id);

  await take(api.PUT("/api/v1/opt_outs", { body: { phone: "+14155550102", opted_out: true } }));
  const refused = take(api.POST("/api/v1/conversations/send", { body: { phone: "+14155550102", message: "Hello!" } }));
  await assert.rejects(refused, (error) => error instanceof ParlanceError && error.code === "recipient_opted_out");
  await take(api.POST("/api/v1/opt_outs", { body: { phone: "+14155550102", opted_out: false } }));
  const ledger = await take(api.GET("/api/v1/opt_outs"));
  assert.ok(ledger.data.some((entry) => entry.value === "+14155550102" && !entry.opted_out));
  return jane.data.id;
}

async function conversations(api: Parlance, contact: number): Promise<void> {
  const header = { "Idempotency-Key": `tour-${contact}` };
  const body = { contact_id: contact, message: "Hello, Jane!", channel: "sms" as const };
  const sent = await take(api.POST("/api/v1/conversations/send", { params: { header }, body }));
  const again = await take(api.POST("/api/v1/conversations/send", { params: { header }, body }));
  assert.equal(again.data.message.id, sent.data.message.id, "the same key acts once");
  console.log(`the message to Jane is ${sent.data.status}`);

  const params = { path: { id: sent.data.conversation.id } };
  const opened = await take(api.POST("/api/v1/conversations", { body: { contact_id: contact } }));
  assert.equal(opened.data.id, params.path.id);
  await take(api.POST("/api/v1/conversations/{id}/messages", { params, body: { message: "Are you there?" } }));
  await take(api.POST("/api/v1/conversations/{id}/assign", { params }));
  await take(api.PUT("/api/v1/conversations/{id}", { params, body: { metadata: { order: 4711 } } }));
  await take(api.POST("/api/v1/conversations/{id}/close", { params }));
  await take(api.POST("/api/v1/conversations/{id}/reopen", { params }));
  await take(api.POST("/api/v1/conversations/{id}/read", { params }));
  const thread = await take(api.GET("/api/v1/conversations/{id}", { params }));
  assert.equal(thread.data.status, "open");
  assert.deepEqual(thread.data.messages.map((message) => message.body), ["Hello, Jane!", "Are you there?"]);

  const listed: string[] = [];
  const load = (cursor: string | undefined) =>
    take(api.GET("/api/v1/conversations/{id}/messages", { params: { ...params, query: { limit: 1, ...(cursor && { cursor }) } } }));
  for await (const message of pages(load)) {
    listed.push(message.body);
  }
  assert.deepEqual(listed, ["Are you there?", "Hello, Jane!"]);
  const open = await take(api.GET("/api/v1/conversations", { params: { query: { status: "open", contact_id: contact } } }));
  assert.equal(open.meta.total, 1);
  const unread = await take(api.GET("/api/v1/conversations/unread"));
  console.log(`${unread.data.unread_count} messages are unread`);
}

async function log(api: Parlance): Promise<void> {
  const events = await take(api.GET("/api/v1/events", { params: { query: { after: 0, limit: 1000 } } }));
  assert.ok(events.data.some((event) => event.kind === "message.created"));
  console.log(`the log has ${events.meta.last_seq} events`);
}

const api = connect({ url: setting("PARLANCE_URL"), key: setting("PARLANCE_KEY") });
await take(api.GET("/health"));
await take(api.GET("/ready"));
await people(api);
await accounts(api);
await conversations(api, await contacts(api));
await log(api);
console.log("the tour is over");
