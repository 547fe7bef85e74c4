// Shows what the server tells, by an event stream or, without one, by asking; sends what is pressed.

import { limit, notice, post } from './lib.js';

const POLL_MS = 2000;
const STREAM_AGAIN_MS = 10000;
const MOVED_AGAIN_MS = 60000; // newer pages of the same person have the streams that they may have
const SILENCE_MS = 12000; // the server beats every 5 s
const PENDING_MS = 6000;
const SLIDE_MS = 250;
const SETTLED_MS = 2500; // the volume that comes back from the player may be an older one for as long
const CALM_MS = 3000; // a mood or a track that holds for this long is read out

const at = (id) => document.getElementById(id);
const body = document.body;
let state = null;
let aheadS = 0; // the board's clock less this page's

// -- showing ----------------------------------------------------------------------------------------------------------

function put(id, text) {
  const element = at(id);
  if (!element) return;
  if (element.textContent !== text) element.textContent = text;
  element.hidden = !text && id !== 'more';
}

const shown = new Map();

function fill(id, html) {
  // The server escapes what it tells. Only what differs is put in, so that nothing flickers.
  if (shown.get(id) === html) return;
  shown.set(id, html);
  at(id).innerHTML = html;
}

function clockS() {
  return performance.now() / 1000 + aheadS;
}

function showAge() {
  if (!state || state.mood === 'starting') return;
  const minutes = Math.floor(Math.max(0, clockS() - state.since) / 60);
  const words = at('age').dataset;
  const [text, number] = minutes < 1 ? [words.new, 0] : minutes < 60 ? [words.minutes, minutes] : [words.hours, Math.floor(minutes / 60)];
  put('age', text.replace('{n}', number));
}

function minutesOf(seconds) {
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;
}

function showTime() {
  const { playing, elapsed_s: elapsed, at: since, duration_s: duration } = state.player;
  at('time').hidden = !duration;
  if (!duration) return;
  const played = Math.min(duration, Math.max(0, elapsed + (playing ? clockS() - since : 0)));
  at('progress').max = duration;
  at('progress').value = played;
  put('played', minutesOf(played));
  put('length', minutesOf(duration));
}

function field(id, name) {
  return at(id).form.elements[name];
}

function showPlayer(player) {
  at('playing').toggleAttribute('data-on', player.playing);
  at('pause-icon').setAttribute('href', player.playing ? '#i-pause' : '#i-play');
  field('pause', 'kind').value = player.playing ? 'pause' : 'resume';
  for (const id of ['pause', 'next', 'volume']) at(id).disabled = !player.works;
  for (const id of ['like', 'later']) {
    at(id).disabled = !player.uri;
    field(id, 'value').value = player.uri;
  }
  if (at('like').dataset.of !== player.uri) at('like').removeAttribute('data-done');
  if (performance.now() - slidMs > SETTLED_MS) showVolume(player.volume);
  showTime();
}

function showVolume(percent) {
  at('volume').value = percent;
  at('loud').textContent = `${percent} %`;
}

function showCover(address) {
  const image = at('cover');
  image.hidden = !address;
  if (address && image.getAttribute('src') !== address) image.src = address;
}

function showSense(name, muted) {
  const button = at(name);
  button.toggleAttribute('data-muted', muted);
  const wanted = field(name, 'value');
  if (button.getAttribute('aria-busy') && wanted.value === (muted ? 'off' : 'on')) settle(button);
  wanted.value = muted ? 'on' : 'off';
}

let toldTimer = 0;

function announce(texts) {
  // One quiet sentence of what has settled, in place of a live region for each thing that moves.
  const text = `${texts.word}. ${texts.title}`;
  if (text === at('told').dataset.next) return;
  at('told').dataset.next = text;
  clearTimeout(toldTimer);
  toldTimer = setTimeout(() => put('told', text), CALM_MS);
}

function render(next) {
  aheadS = next.now - performance.now() / 1000;
  state = next;
  body.dataset.mood = next.mood;
  for (const [id, text] of Object.entries(next.texts)) put(id, text);
  for (const [id, html] of Object.entries(next.fragments)) fill(id, html);
  at('plane').setAttribute('aria-label', next.plane);
  at('dot').style.transform = `translate(${next.dot[0]}px, ${next.dot[1]}px)`;
  at('link').hidden = !next.link;
  if (next.link) at('link').href = next.link;
  showAge();
  showCover(next.cover);
  showPlayer(next.player);
  for (const name of ['camera', 'microphone']) showSense(name, next.muted.includes(name));
  announce(next.texts);
}

// -- connection -------------------------------------------------------------------------------------------------------

let stream = null;
let pollTimer = 0;
let watchTimer = 0;
let streamAgainMs = 0;
let tag = '';
let turn = 0; // answers to what was asked before the last change of connection are late

function link(how) {
  body.dataset.link = how;
  put('lost', how === 'lost' ? body.dataset.lost : '');
}

function watch() {
  clearTimeout(watchTimer);
  watchTimer = setTimeout(poll, SILENCE_MS);
}

function openStream() {
  streamAgainMs = performance.now() + STREAM_AGAIN_MS;
  if (!('EventSource' in window)) return void poll();
  stream = new EventSource('/api/events');
  stream.addEventListener('state', (event) => {
    clearTimeout(pollTimer);
    render(JSON.parse(event.data));
    link('stream');
    watch();
  });
  stream.addEventListener('beat', watch);
  stream.addEventListener('moved', () => {
    streamAgainMs = performance.now() + MOVED_AGAIN_MS;
    poll();
  });
  stream.addEventListener('error', poll);
  watch();
}

function closeAll() {
  turn += 1;
  clearTimeout(pollTimer);
  clearTimeout(watchTimer);
  if (stream) stream.close();
  stream = null;
}

async function ask() {
  const headers = tag ? { 'If-None-Match': tag } : {};
  const answer = await fetch('/api/now', { cache: 'no-store', headers, signal: limit(POLL_MS - 100) });
  if (answer.redirected || answer.status === 401 || answer.status === 403) return 'ended';
  if (answer.status === 304) return null;
  if (!answer.ok) throw new Error(answer.statusText);
  tag = answer.headers.get('ETag');
  return answer.json();
}

async function poll() {
  closeAll();
  pollTimer = setTimeout(poll, POLL_MS);
  const mine = turn;
  try {
    const told = await ask();
    if (mine !== turn) return;
    if (told === 'ended') return void leave();
    if (told) render(told);
    const wasLost = body.dataset.link === 'lost';
    link('polling');
    if (wasLost || performance.now() > streamAgainMs) {
      clearTimeout(pollTimer);
      openStream();
    }
  } catch {
    if (mine === turn) link('lost');
  }
}

function leave() {
  // Whoever was signed out is led where they can sign in; only once, should that lead here again.
  closeAll();
  if (body.dataset.link !== 'starting') location.reload();
}

document.addEventListener('visibilitychange', () => {
  // A page that nobody sees leaves its place to one that somebody does.
  closeAll();
  if (!document.hidden) openStream();
});

// -- pressing ---------------------------------------------------------------------------------------------------------

let slidMs = -SETTLED_MS;
let slideTimer = 0;

async function send(kind, value) {
  try {
    const answer = await post('/api/command', { kind, value });
    return answer.ok ? '' : (await answer.json()).error;
  } catch {
    return body.dataset.unreachable;
  }
}

async function press(kind, value) {
  const error = await send(kind, value);
  if (error) notice(error);
  return !error;
}

function settle(button) {
  clearTimeout(Number(button.dataset.timer));
  button.removeAttribute('aria-busy');
}

async function toggle(button, kind, value) {
  if (state && state.closed.includes(kind)) return void notice(at(`${kind}-state`).textContent);
  button.setAttribute('aria-busy', 'true');
  button.dataset.timer = setTimeout(() => {
    settle(button);
    notice(body.dataset.slow);
  }, PENDING_MS);
  if (!(await press(kind, value))) settle(button);
}

async function judge(kind, uri) {
  if (!(await press(kind, uri))) return;
  notice(body.dataset[kind === 'like' ? 'liked' : 'later']);
  if (kind === 'like') {
    at('like').dataset.of = uri;
    at('like').setAttribute('data-done', '');
  }
}

function pressed(event) {
  const { kind, value } = event.target.elements;
  if (!kind) return;
  event.preventDefault();
  if (kind.value === 'camera' || kind.value === 'microphone') toggle(at(kind.value), kind.value, value.value);
  else if (kind.value === 'like' || kind.value === 'later') judge(kind.value, value.value);
  else press(kind.value, value.value);
}

function slide() {
  slidMs = performance.now();
  at('loud').textContent = `${at('volume').value} %`;
  clearTimeout(slideTimer);
  slideTimer = setTimeout(() => press('volume', at('volume').value), SLIDE_MS);
}

body.classList.add('scripted');
document.querySelector('main').addEventListener('submit', pressed);
at('volume').addEventListener('input', slide);
setInterval(showAge, 15000);
setInterval(() => state && showTime(), 500);
openStream();
