// What a program in TypeScript does with the review API: all calls by the types of the generated schema.
import createClient from "openapi-fetch";
import type { paths } from "./schema.js";

declare const process: { argv: string[] };
const [address, token] = process.argv.slice(2) as [string, string];
const api = createClient<paths>({ baseUrl: address, headers: { Authorization: `Bearer ${token}` } });

async function main(): Promise<void> {
  const { data: next } = await api.POST("/api/v1/next", { body: {} });
  const item = next?.item;
  if (!item) throw new Error("nothing waits");
  const lease = { params: { path: { assignment_id: item.assignment } } };
  const kept = await api.POST("/api/v1/assignments/{assignment_id}/heartbeat", lease);
  const draft = await api.PUT("/api/v1/assignments/{assignment_id}/draft", { ...lease, body: { draft: { choice: "tie" } } });
  const review = { params: { path: { review_id: item.review } } };
  const body = { token: item.token, answer: { choice: "tie", rationale: "Equal." } };
  const decided = await api.POST("/api/v1/reviews/{review_id}/decision", { ...review, body });
  const other = { ...body, answer: { choice: "both_bad", rationale: "Neither." } };
  const refused = await api.POST("/api/v1/reviews/{review_id}/decision", { ...review, body: other });
  const decision = decided.data?.decision;
  if (!decision) throw new Error("it was not decided");
  const undone = await api.POST("/api/v1/decisions/{decision_id}/undo", { params: { path: { decision_id: decision } } });
  const again = (await api.POST("/api/v1/next", {})).data?.item?.assignment ?? "";
  const released = await api.POST("/api/v1/assignments/{assignment_id}/release", { params: { path: { assignment_id: again } } });
  console.log(JSON.stringify({
    lease: kept.data?.state, draft: draft.data?.state, kind: decided.data?.kind, refused: refused.error?.error,
    undone: undone.data?.decision === decision, released: released.data?.state,
  }));
}

// The types refuse what the server would refuse.
export async function wrong(): Promise<void> {
  // @ts-expect-error: there is no such operation
  await api.GET("/api/v1/next");
  // @ts-expect-error: an answer is missing
  await api.POST("/api/v1/reviews/{review_id}/decision", { params: { path: { review_id: "0" } }, body: { token: "t" } });
}

await main();
