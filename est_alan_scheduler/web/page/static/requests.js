// Requests to the server that change something, or ask what a change means.

import { text } from "./texts.js";

// Send JSON. Return the text of the answer, or the problem: a preview comes with one as a good answer.
export async function post(path, body) {
  const headers = { "Content-Type": "application/json", Accept: "application/json" };
  try {
    const response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
    if (response.headers.get("Content-Type") === "application/problem+json") return { problem: await response.json() };
    if (response.ok) return { answer: await response.text() };
    return { problem: { detail: `${response.status} ${response.statusText}` } }; // of what stands before the server
  } catch {
    return { problem: { detail: text("unreachable") } };
  }
}
