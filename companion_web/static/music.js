// Taps play without a new page, what is queued stays up to date, and a chosen strategy is kept at once.

import { notice, post } from './lib.js';

const LOOK_MS = 4000;

async function send(form, submitter) {
  const data = Object.fromEntries(new FormData(form));
  if (submitter?.name) data[submitter.name] = submitter.value;
  const answer = await post(form.getAttribute('action'), data).catch(() => null);
  const told = await answer?.json().catch(() => null);
  notice(told?.said || told?.error || form.dataset.lost || 'Attune');
  return Boolean(answer?.ok);
}

for (const form of document.querySelectorAll('form.picks')) {
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const tapped = event.submitter;
    tapped?.setAttribute('aria-busy', 'true');
    await send(form, tapped);
    tapped?.removeAttribute('aria-busy');
    look();
  });
}

const saving = document.querySelector('form.saving');
if (saving) {
  saving.querySelector('button').hidden = true;
  saving.addEventListener('change', () => send(saving));
}

const queued = document.getElementById('queued');

async function look() {
  if (!queued || document.hidden) return;
  const answer = await fetch(`${queued.dataset.address}?version=${queued.dataset.version}`, { cache: 'no-store' }).catch(() => null);
  if (answer?.status !== 200) return;
  const html = await answer.text();
  const focused = queued.contains(document.activeElement) ? document.activeElement.value : null;
  queued.dataset.version = answer.headers.get('X-Attune-Version');
  if (html === queued.dataset.shown) return;
  queued.dataset.shown = html;
  queued.innerHTML = html; // from Attune itself, where every text is escaped
  if (focused) queued.querySelector(`[value="${CSS.escape(focused)}"]`)?.focus();
}

if (queued) {
  setInterval(look, LOOK_MS);
  document.addEventListener('visibilitychange', look);
}
