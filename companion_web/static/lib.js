// What the scripts of all pages share: posts that carry the page's token, and notices.

const ANSWER_MS = 10000;
const NOTICE_MS = 6000;

const meta = document.querySelector('meta[name="attune-token"]');
let noticeTimer = 0;

export function csrf() {
  return meta.content;
}

export function limit(ms) {
  return AbortSignal.timeout ? AbortSignal.timeout(ms) : undefined; // older phones wait as long as they like
}

export function notice(text) {
  const element = document.getElementById('notice');
  clearTimeout(noticeTimer);
  element.textContent = text;
  element.hidden = !text;
  noticeTimer = setTimeout(() => notice(''), NOTICE_MS);
}

async function send(path, body, headers, ms) {
  return fetch(path, { method: 'POST', headers: { ...headers, 'X-Attune-Token': csrf() }, body, signal: limit(ms) });
}

/** The answer to a post of a FormData or of an object as JSON; once more with a new token after somebody signed in elsewhere here. */
export async function post(path, data, ms = ANSWER_MS) {
  const isForm = data instanceof FormData;
  const body = isForm ? data : JSON.stringify(data);
  const headers = isForm ? {} : { 'Content-Type': 'application/json' };
  const answer = await send(path, body, headers, ms);
  if (answer.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
  if (answer.status !== 403) return answer;
  const fresh = await fetch('/api/token', { cache: 'no-store', signal: limit(ms) });
  if (!fresh.ok) return answer;
  meta.content = (await fresh.json()).token;
  return send(path, body, headers, ms);
}
