// Shows the state that the server tells, by an event stream or, without one, by asking; sends what is pressed.

import { limit, notice, post } from './lib.js';

const POLL_MS = 2000;
const STREAM_AGAIN_MS = 10000;
const SILENCE_MS = 12000; // the server beats every 5 s
const PENDING_MS = 6000;

const WORDS = {
  angry: 'Angry', disgust: 'Disgusted', fear: 'Afraid', happy: 'Happy', sad: 'Sad', surprise: 'Surprised',
  neutral: 'Neutral', unclear: 'Unclear', absent: 'Nobody here',
};
const HINTS = {
  angry: 'anger', disgust: 'disgust', fear: 'fear', happy: 'happiness', sad: 'sadness', surprise: 'surprise',
  neutral: 'calm',
};
const SENSES = { face: 'Face', voice: 'Voice', text: 'Words', body: 'Pulse' };
const PARTS = {
  mqtt: 'MQTT', dj: 'Choice of music', face: 'Face model', voice: 'Voice model', text: 'Text model',
  words: 'Timed sentences',
};
const ORDER = ['missing', 'degraded', 'muted', 'works'];
const DEVICES = {
  camera: { works: 'Looking', degraded: 'Looking, with trouble', muted: 'Muted, closed', missing: 'Not there' },
  microphone: { works: 'Listening', degraded: 'Listening, with trouble', muted: 'Muted, closed', missing: 'Not there' },
};

const at = (id) => document.getElementById(id);
const body = document.body;
let state = null;
let stateCameMs = 0;

// -- showing ----------------------------------------------------------------------------------------------------------

function put(id, text) {
  const element = at(id);
  if (element.textContent !== text) element.textContent = text;
  return element;
}

function show(id, text) {
  put(id, text).hidden = !text;
}

function make(tag, name, text) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text) element.textContent = text;
  return element;
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function icon(...names) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  for (const name of names) {
    const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
    use.setAttribute('href', `#i-${name}`);
    svg.append(use);
  }
  return svg;
}

function fill(list, key, items) {
  // Rebuilt only when it differs, so that nothing flickers and nothing is read out twice.
  const now = JSON.stringify(key);
  if (list.dataset.key === now) return;
  list.dataset.key = now;
  list.replaceChildren(...items());
}

function sure(mood) {
  if (mood.confidence >= 0.75) return 'quite sure';
  return mood.confidence >= 0.55 ? 'fairly sure' : 'not very sure';
}

function word(mood) {
  return mood.emotion === 'absent' && mood.people ? 'Someone' : WORDS[mood.emotion] || mood.emotion;
}

function more(mood) {
  if (mood.emotion === 'absent') return mood.people ? 'No mood to tell yet' : 'Waiting for someone to come in';
  if (mood.emotion === 'unclear') {
    return mood.second ? `Could be ${HINTS[mood.second]}, but not sure enough to say` : 'Not sure enough to say';
  }
  return (mood.second ? `with some ${HINTS[mood.second]}, ` : '') + sure(mood);
}

function showMood(mood) {
  body.dataset.mood = mood ? mood.emotion : 'starting';
  if (!mood) return;
  put('word', word(mood));
  put('more', capital(more(mood)));
  const [valence, arousal] = [mood.valence || 0, mood.arousal || 0];
  at('dot').style.transform = `translate(${100 + 84 * valence}px, ${100 - 84 * arousal}px)`;
  const told = mood.emotion === 'absent' ? 'No valence and arousal'
    : `Valence ${valence.toFixed(2)}, arousal ${arousal.toFixed(2)}, each from -1 to 1`;
  at('plane').setAttribute('aria-label', told);
  showShares(Object.entries(mood.shares).filter(([, share]) => share > 0));
}

function showShares(shares) {
  const rounded = shares.map(([sense, share]) => [sense, Math.round(100 * share)]);
  at('no-shares').hidden = rounded.length > 0;
  const list = at('shares');
  const known = JSON.stringify(rounded.map(([sense]) => sense));
  fill(list, known, () => rounded.map(([sense]) => bar(sense)));
  for (const [sense, percent] of rounded) {
    const item = list.querySelector(`[data-sense="${sense}"]`);
    item.querySelector('b').textContent = `${percent} %`;
    item.querySelector('i').style.width = `${percent}%`;
  }
}

function bar(sense) {
  const item = make('li');
  item.dataset.sense = sense;
  const row = make('div', 'row');
  row.append(make('span', '', SENSES[sense] || sense), make('b'));
  const track = make('div', 'bar');
  track.setAttribute('aria-hidden', 'true');
  track.append(make('i'));
  item.append(row, track);
  return item;
}

function showPeople(mood, health) {
  const status = health.camera ? health.camera.status : '';
  if (status === 'muted') put('people', 'Not looking');
  else if (status === 'missing') put('people', 'No camera');
  else {
    const people = mood ? mood.people : 0;
    put('people', people === 0 ? 'Nobody seen' : `${people} ${people === 1 ? 'person' : 'people'} seen`);
  }
}

function showAge() {
  if (!state || !state.mood) return;
  const seconds = Math.max(0, state.now - state.mood_since + (performance.now() - stateCameMs) / 1000);
  const minutes = Math.floor(seconds / 60);
  put('age', minutes < 1 ? 'since just now' : minutes < 60 ? `for ${minutes} min` : `for ${Math.floor(minutes / 60)} h`);
}

function nameOf(track) {
  const file = track.uri.split('/').pop().replace(/\.[a-z0-9]{2,5}$/i, '');
  return track.title || file || 'Without a title';
}

function showMusic(player, queue, decision) {
  const track = player && player.track;
  put('title', track ? nameOf(track) : 'Nothing yet');
  put('artist', track ? track.artist : 'Music follows the mood after a few seconds');
  show('genre', track ? track.genre : '');
  show('why', capital(reason(player, queue, decision)));
  const playing = Boolean(player) && player.status === 'playing';
  at('cover').classList.toggle('on', playing);
  put('pause-name', playing ? 'Pause' : 'Play');
  at('pause-icon').setAttribute('href', playing ? '#i-pause' : '#i-play');
  at('pause').disabled = at('next').disabled = !player || player.status === 'failed';
  put('player', player ? playerLine(player) : '');
}

function reason(player, queue, decision) {
  if (queue && !queue.tracks.length) return queue.reason; // it says what to do
  if (!player || !player.track) return '';
  if (player.chosen_by === 'listener') return 'chosen by you; Attune lets it play';
  return (queue && queue.reason) || (decision && decision.reason) || '';
}

function playerLine(player) {
  const silent = player.device === 'silent';
  const named = { playing: silent ? 'Would play' : 'Playing', paused: 'Paused', stopped: 'Stopped', failed: 'The player has failed' };
  const where = silent ? 'no player here' : player.device;
  return [named[player.status], where, `volume ${player.volume_pct} %`].filter(Boolean).join(' · ');
}

function showSense(name, health) {
  const status = health[name] ? health[name].status : '';
  const button = at(name);
  const muted = status === 'muted';
  button.toggleAttribute('data-muted', muted);
  put(`${name}-state`, DEVICES[name][status] || 'Not reported yet');
  put(`${name}-act`, muted ? 'Unmute' : 'Mute');
  if (button.dataset.wants === (muted ? 'off' : 'on')) settle(button);
}

function showFlags(health) {
  const muted = Object.keys(DEVICES).filter((name) => health[name] && health[name].status === 'muted');
  fill(at('flags'), muted, () => {
    if (!muted.length) return [];
    const item = make('li');
    item.append(...muted.map((name) => icon(name, 'slash')), make('span', '', muted.length > 1 ? 'Both muted' : `${capital(muted[0])} muted`));
    return [item];
  });
}

function showParts(health) {
  const parts = Object.values(health).sort((a, b) => ORDER.indexOf(a.status) - ORDER.indexOf(b.status));
  const well = parts.filter((part) => part.status === 'works');
  const rest = parts.filter((part) => part.status !== 'works');
  at('no-parts').hidden = parts.length > 0;
  at('well').hidden = well.length === 0;
  put('well-count', wellLine(well.length, rest.length));
  fillParts('trouble', rest);
  fillParts('well-parts', well);
}

function wellLine(well, rest) {
  const parts = well === 1 ? '1 part works' : `${well} parts work`;
  return rest ? parts : `All ${parts}`.replace('All 1 part', 'The 1 part');
}

function fillParts(id, parts) {
  fill(at(id), parts.map((part) => [part.part, part.status, part.message]), () => parts.map((part) => {
    const item = make('li');
    item.dataset.part = part.part;
    item.dataset.status = part.status;
    item.append(make('span', 'name', PARTS[part.part] || capital(part.part)), make('span', 'status', part.status));
    if (part.message) item.append(make('p', 'message', part.message));
    return item;
  }));
}

function render(next) {
  state = next;
  stateCameMs = performance.now();
  showMood(next.mood);
  showPeople(next.mood, next.health);
  showAge();
  showMusic(next.player, next.queue, next.decision);
  showSense('camera', next.health);
  showSense('microphone', next.health);
  showFlags(next.health);
  showParts(next.health);
}

// -- connection -------------------------------------------------------------------------------------------------------

let stream = null;
let pollTimer = 0;
let watchTimer = 0;
let streamTriedMs = 0;
let turn = 0; // answers to what was asked before the last change of connection are late

function link(how) {
  body.dataset.link = how;
  show('lost', how === 'lost' ? 'Connection lost. Trying again …' : '');
}

function watch() {
  clearTimeout(watchTimer);
  watchTimer = setTimeout(poll, SILENCE_MS);
}

function openStream() {
  streamTriedMs = performance.now();
  if (!('EventSource' in window)) return void poll();
  stream = new EventSource('/api/events');
  stream.addEventListener('state', (event) => {
    clearTimeout(pollTimer);
    render(JSON.parse(event.data));
    link('stream');
    watch();
  });
  stream.addEventListener('beat', watch);
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

async function poll() {
  closeAll();
  pollTimer = setTimeout(poll, POLL_MS);
  const mine = turn;
  try {
    const answer = await fetch('/api/state', { cache: 'no-store', signal: limit(POLL_MS - 100) });
    if (!answer.ok) throw new Error(answer.statusText);
    const next = await answer.json();
    if (mine !== turn) return;
    render(next);
    const wasLost = body.dataset.link === 'lost';
    link('polling');
    if (wasLost || performance.now() - streamTriedMs > STREAM_AGAIN_MS) {
      clearTimeout(pollTimer);
      openStream();
    }
  } catch {
    if (mine === turn) link('lost');
  }
}

document.addEventListener('visibilitychange', () => {
  // A page that nobody sees leaves its place to one that somebody does.
  closeAll();
  if (!document.hidden) openStream();
});

// -- pressing ---------------------------------------------------------------------------------------------------------

async function send(kind, value = '') {
  try {
    const answer = await post('/api/command', { kind, value });
    return answer.ok ? '' : (await answer.json()).error;
  } catch {
    return 'Attune cannot be reached; nothing was sent.';
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
  delete button.dataset.wants;
}

async function toggle(event) {
  const button = event.currentTarget;
  const wants = button.hasAttribute('data-muted') ? 'on' : 'off';
  button.dataset.wants = wants;
  button.setAttribute('aria-busy', 'true');
  button.dataset.timer = setTimeout(() => {
    settle(button);
    notice(`The ${button.id} has not answered yet.`);
  }, PENDING_MS);
  if (!(await press(button.id, wants))) settle(button);
}

function judged() {
  const model = state && state.health.text;
  return !model || model.status !== 'missing';
}

async function say(event) {
  event.preventDefault();
  const words = at('words').value.trim();
  if (!words) return void at('words').focus();
  at('send').setAttribute('aria-busy', 'true');
  const error = await send('say', words);
  at('send').removeAttribute('aria-busy');
  put('said', error || (judged() ? 'Heard. It counts for a little while.' : 'Sent, but nothing can judge words now: see Parts.'));
  if (!error) at('words').value = '';
}

at('pause').addEventListener('click', () => press(state.player.status === 'playing' ? 'pause' : 'resume'));
at('next').addEventListener('click', () => press('next'));
at('camera').addEventListener('click', toggle);
at('microphone').addEventListener('click', toggle);
at('say').addEventListener('submit', say);

setInterval(showAge, 15000);
openStream();
