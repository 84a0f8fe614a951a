// better-auth's API keys behind node:http, over SQLite in WAL mode.
//
// `node better_auth.mjs DATABASE KEYS STORAGE` makes so many keys, each of a user of its own, and then prints one line of
// JSON: the port, and the keys. STORAGE is deferred (in the database, with updates deferred) or memory (keys in the
// memory of this process, updates deferred).

import http from "node:http";
import { apiKey } from "@better-auth/api-key";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import Database from "better-sqlite3";

const [path, count, storage] = process.argv.slice(2);
const permissions = { linodes: ["read_only"] };

const database = new Database(path);
database.pragma("journal_mode = WAL");
database.pragma("synchronous = NORMAL");

const kept = new Map();
const secondaryStorage = {
  get: (key) => kept.get(key) ?? null,
  set: (key, value) => void kept.set(key, value),
  delete: (key) => void kept.delete(key),
};

const options = {
  baseURL: "http://127.0.0.1",
  secret: "a secret that nobody needs, for a benchmark",
  database,
  logger: { disabled: true },
  telemetry: { enabled: false },
  advanced: { backgroundTasks: { handler: () => {} } },
  ...(storage === "memory" && { secondaryStorage }),
  plugins: [
    apiKey({
      rateLimit: { enabled: false },
      deferUpdates: true,
      storage: storage === "memory" ? "secondary-storage" : "database",
    }),
  ],
};

await (await getMigrations(options)).runMigrations();
const auth = betterAuth(options);
const { internalAdapter } = await auth.$context;

const keys = [];
for (let n = 0; n < Number(count); n++) {
  const { id } = await internalAdapter.createUser({
    email: `user-${n}@example.com`,
    name: `user-${n}`,
  });
  const body = { userId: id, permissions, rateLimitEnabled: false };
  keys.push((await auth.api.createApiKey({ body })).key);
}

const server = http.createServer(async (request, response) => {
  const key = request.headers.authorization.slice("Bearer ".length);
  const { valid } = await auth.api.verifyApiKey({ body: { key, permissions } });
  response.writeHead(valid ? 200 : 401, { "content-length": 0 }).end();
});
server.listen(0, "127.0.0.1", () => {
  console.log(JSON.stringify({ port: server.address().port, keys }));
});
