// A look at what camera and microphone take in, asked for only while it is watched, and the words of the slider.

import { limit } from './lib.js';

const PICTURE_MS = 1000;
const LEVEL_MS = 250;
const QUIETEST_DB = -60;
const LONGEST_MS = 120000; // somebody who forgot the page does not watch

function watching(everyMs, once, ended) {
  const untilMs = performance.now() + LONGEST_MS;
  let timer = 0;
  const turn = async () => {
    if (!document.hidden) await once();
    if (performance.now() > untilMs) ended(); else if (timer) timer = setTimeout(turn, everyMs);
  };
  timer = setTimeout(turn, 0);
  return () => { clearTimeout(timer); timer = 0; };
}

function toggles(button, place, everyMs, once, hide) {
  let stop = null;
  const end = () => {
    stop?.();
    stop = null;
    hide();
    button.textContent = place.dataset.show;
    button.setAttribute('aria-pressed', 'false');
  };
  button.setAttribute('aria-pressed', 'false');
  button.addEventListener('click', (event) => {
    event.preventDefault();
    if (stop) return end();
    stop = watching(everyMs, once, end);
    button.textContent = place.dataset.hide;
    button.setAttribute('aria-pressed', 'true');
  });
}

const picture = document.querySelector('[data-picture]');
if (picture) {
  const link = picture.querySelector('a.button');
  link.setAttribute('role', 'button');
  const told = picture.querySelector('.hint');
  const usual = told.textContent;
  const image = picture.querySelector('img') ?? new Image(240);
  image.alt = picture.dataset.alt;
  toggles(link, picture, PICTURE_MS, () => new Promise((done) => {
    image.onload = () => { told.textContent = usual; if (!image.isConnected) picture.prepend(image); done(); };
    image.onerror = async () => {
      image.remove();
      try {
        const answer = await fetch(picture.dataset.picture, { headers: { Accept: 'application/json' }, signal: limit(6000) });
        if (!answer.ok) told.textContent = (await answer.json()).error;
      } catch { /* the next turn asks again */ }
      done();
    };
    image.src = `${picture.dataset.picture}?at=${Date.now()}`;
  }), () => { image.remove(); told.textContent = usual; });
}

const level = document.querySelector('[data-level]');
if (level) {
  level.hidden = false;
  const meter = level.querySelector('.meter');
  const text = level.querySelector('output');
  const show = (db) => {
    const shown = Math.max(QUIETEST_DB, Math.min(0, db ?? QUIETEST_DB));
    meter.setAttribute('aria-valuenow', String(Math.round(shown)));
    meter.firstElementChild.style.transform = `scaleX(${1 - shown / QUIETEST_DB})`;
    text.textContent = db === null ? '–' : `${Math.round(db)} dB`;
  };
  toggles(level.querySelector('button'), level, LEVEL_MS, async () => {
    try {
      const answer = await fetch(level.dataset.level, { cache: 'no-store', signal: limit(4000) });
      show(answer.ok ? (await answer.json()).level_db : null);
    } catch { show(null); }
  }, () => show(null));
}

const slider = document.querySelector('input[data-words]');
if (slider) {
  const words = JSON.parse(slider.dataset.words);
  const say = () => slider.setAttribute('aria-valuetext', words[Number(slider.value)]);
  slider.addEventListener('input', say);
  say();
}
