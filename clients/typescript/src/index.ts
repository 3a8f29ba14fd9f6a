/**
 * A typed client of the Parlance API: openapi-fetch with the server's own types, and what every caller needs beside it.
 *
 * `connect` makes it, `take` unwraps an answer or throws the problem, `pages` walks a list. A POST gets an Idempotency-Key of
 * its own, so that it may be repeated, and is, where the server says when.
 */
import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./schema.js";

export type { components, operations, paths } from "./schema.js";

type Schemas = components["schemas"];
export type Account = Schemas["Account"];
export type ApiKey = Schemas["ApiKey"];
export type Contact = Schemas["Contact"];
export type Conversation = Schemas["Conversation"];
export type Message = Schemas["Message"];
export type Problem = Schemas["Problem"];
export type Staff = Schemas["Staff"];

/** How to reach a server. */
export interface Options {
  /** Where it is, such as `https://chat.example.com`. */
  url: string;
  /** A key, as `parlance key create` makes it. */
  key: string;
  /** How often a request is repeated that was answered 429 or 503, or not at all; 3 when not given. */
  retries?: number;
  /** In place of the runtime's own. */
  fetch?: (request: Request) => Promise<Response>;
}

/** The API behind a key. */
export type Parlance = Client<paths>;

/** What the server refused, and why. */
export class ParlanceError extends Error {
  override readonly name = "ParlanceError";

  constructor(
    /** The HTTP status. */
    readonly status: number,
    /** The problem, where the answer was one. */
    readonly problem: Problem | undefined,
  ) {
    super(problem?.detail ?? `the server answered ${status}`);
  }

  /** The stable code, such as `not_found`. */
  get code(): string | undefined {
    return this.problem?.code;
  }
}

/** The client of a server. */
export function connect({ url, key, retries = 3, fetch = globalThis.fetch }: Options): Parlance {
  const client = createClient<paths>({
    baseUrl: url.replace(/\/+$/, ""),
    headers: { Authorization: `Bearer ${key}` },
    fetch: (request) => repeating(request, retries, fetch),
  });
  client.use({
    onRequest({ request }) {
      if (request.method === "POST" && !request.headers.has("Idempotency-Key")) {
        request.headers.set("Idempotency-Key", unique());
      }
      return request;
    },
  });
  return client;
}

/** What was asked for. Throws a {@link ParlanceError} when it was refused. */
export async function take<Data>(call: Promise<{ data?: Data; error?: unknown; response: Response }>): Promise<Data> {
  const { data, error, response } = await call;
  if (!response.ok) {
    throw new ParlanceError(response.status, isProblem(error) ? error : undefined);
  }
  return data as Data;
}

interface Page<Row> {
  data: Row[];
  meta: { next_cursor?: string | null };
}

/** Every row of a list, page by page: `load` gets a page by its cursor. */
export async function* pages<Row>(load: (cursor: string | undefined) => Promise<Page<Row>>): AsyncGenerator<Row> {
  let cursor: string | undefined;
  do {
    const page = await load(cursor);
    yield* page.data;
    cursor = page.meta.next_cursor ?? undefined;
  } while (cursor !== undefined);
}

function isProblem(value: unknown): value is Problem {
  return typeof value === "object" && value !== null && "code" in value && "detail" in value;
}

/** Names a request. Not a secret: it only has to be new. */
function unique(): string {
  return globalThis.crypto?.randomUUID?.() ?? `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
}

/** Safe for any request of this client: what is no POST may be made twice by nature, and a POST carries its key. */
async function repeating(request: Request, retries: number, fetch: (request: Request) => Promise<Response>): Promise<Response> {
  for (let left = retries; ; left -= 1) {
    let wait = 1;
    try {
      const response = await fetch(request.clone());
      const later = response.status === 429 || response.status === 503;
      if (!later || left <= 0) {
        return response;
      }
      await response.body?.cancel();
      wait = Number(response.headers.get("Retry-After") ?? wait);
    } catch (error) {
      if (left <= 0 || request.signal.aborted) {
        throw error;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, Math.min(wait, 60) * 1000));
  }
}
