// Gathers what is said, shown and sung, has it judged, and shows the answer without leaving the page.

import { notice, post } from './lib.js';

const ANSWER_MS = 90000; // an upload over a slow Wi-Fi, and some seconds of judging
const COUNT_S = 3;
const LONGEST_NOTE_S = 30;

const at = (id) => document.getElementById(id);
const texts = at('texts').dataset;
const form = at('words').form;
const given = new Map(); // field of the form -> the file and what it is called
let recorder = null;
let stream = null;

document.body.classList.add('has-script');

// -- what is given ----------------------------------------------------------------------------------------------------

function give(field, file, name) {
  if (file.size > Number(texts.largest)) return void notice(texts.tooLarge);
  given.set(field, { file, name });
  showGiven();
}

function showGiven() {
  const items = [...given].map(([field, { name }]) => {
    const item = document.createElement('li');
    const label = document.createElement('span');
    label.textContent = name;
    const remove = document.createElement('button');
    remove.type = 'button';
    remove.textContent = '×';
    remove.setAttribute('aria-label', `${texts.remove}: ${name}`);
    remove.addEventListener('click', () => {
      given.delete(field);
      showGiven();
      at('tell').focus();
    });
    item.append(label, remove);
    return item;
  });
  at('parts').replaceChildren(...items);
  at('parts').hidden = items.length === 0;
}

function choose(accept, capture) {
  const input = document.createElement('input');
  input.type = 'file';
  input.accept = accept;
  if (capture) input.setAttribute('capture', capture);
  input.addEventListener('change', () => {
    const [file] = input.files;
    if (file) give(file.type.startsWith('audio/') ? 'sung' : 'shown', file, file.name);
  });
  input.click();
}

// Only over https (or on the device itself) does a browser lend its camera and microphone.
function canUse() {
  return window.isSecureContext && Boolean(navigator.mediaDevices && navigator.mediaDevices.getUserMedia);
}

async function take(kinds) {
  try {
    stream = await navigator.mediaDevices.getUserMedia(kinds);
    return stream;
  } catch {
    notice(texts.refused);
    return null;
  }
}

function release() {
  if (stream) stream.getTracks().forEach((track) => track.stop());
  stream = null;
}

// -- this phone's camera ----------------------------------------------------------------------------------------------

async function openLens() {
  if (!canUse() || !at('lens').showModal) return void choose('image/*', 'user');
  if (!(await take({ video: { facingMode: 'user' } }))) return;
  at('view').srcObject = stream;
  at('lens').showModal();
  at('view').play().catch(() => {});
}

function shoot() {
  const view = at('view');
  const canvas = document.createElement('canvas');
  canvas.width = view.videoWidth;
  canvas.height = view.videoHeight;
  if (!canvas.width) return;
  canvas.getContext('2d').drawImage(view, 0, 0);
  canvas.toBlob((blob) => give('shown', blob, texts.picture), 'image/jpeg', 0.92);
  at('lens').close();
}

at('camera').addEventListener('click', openLens);
at('shutter').addEventListener('click', shoot);
at('shut').addEventListener('click', () => at('lens').close());
at('lens').addEventListener('close', () => {
  at('view').srcObject = null;
  release();
});

// -- a voice note -----------------------------------------------------------------------------------------------------

async function record() {
  if (recorder) return void recorder.stop();
  if (!canUse() || !window.MediaRecorder) return void choose('audio/*', 'user');
  if (!(await take({ audio: true }))) return;
  const pieces = [];
  const began = performance.now();
  const label = at('record').querySelector('span');
  const before = label.textContent;
  const tick = () => {
    const seconds = Math.floor((performance.now() - began) / 1000);
    label.textContent = `${texts.stop} 0:${String(seconds).padStart(2, '0')}`;
    if (seconds >= LONGEST_NOTE_S && recorder) recorder.stop();
  };
  recorder = new MediaRecorder(stream);
  recorder.addEventListener('dataavailable', (event) => pieces.push(event.data));
  const timer = setInterval(tick, 250);
  recorder.addEventListener('stop', () => {
    clearInterval(timer);
    give('sung', new Blob(pieces, { type: recorder.mimeType }), texts.note);
    recorder = null;
    release();
    label.textContent = before;
    at('record').setAttribute('aria-pressed', 'false');
  });
  recorder.start();
  tick();
  at('record').setAttribute('aria-pressed', 'true');
}

at('record').addEventListener('click', record);
at('file').addEventListener('click', () => choose('image/*,video/*,audio/*'));

// -- a look by Attune's camera ----------------------------------------------------------------------------------------

function countDown() {
  return new Promise((done) => {
    const box = at('count');
    let left = COUNT_S;
    const end = (looks) => {
      clearInterval(timer);
      box.hidden = true;
      document.removeEventListener('keydown', escape);
      done(looks);
    };
    const step = () => {
      if (left === 0) return void end(true);
      box.textContent = left;
      left -= 1;
    };
    const escape = (event) => event.key === 'Escape' && end(false);
    const timer = setInterval(step, 1000);
    document.addEventListener('keydown', escape);
    box.onclick = () => end(false);
    box.hidden = false;
    step();
  });
}

// -- asking and showing -----------------------------------------------------------------------------------------------

function filled(looks) {
  const data = new FormData(form);
  for (const field of ['shown', 'sung']) data.delete(field);
  for (const [field, { file }] of given) data.append(field, file, 'file');
  if (looks) data.append('look', 'now');
  return data;
}

function isEmpty(data) {
  return !data.has('look') && !given.size && !String(data.get('words')).trim();
}

/** Post, and show the page that comes back; whether all went well. */
async function send(path, data) {
  let answer;
  try {
    answer = await post(path, data, ANSWER_MS);
  } catch {
    return void notice(texts.unreachable);
  }
  const type = answer.headers.get('Content-Type') || '';
  if (type.startsWith('application/json')) return void notice((await answer.json()).error);
  if (!type.startsWith('text/html')) return void notice(answer.status === 413 ? texts.tooLarge : texts.unreachable);
  show(new DOMParser().parseFromString(await answer.text(), 'text/html'), answer.ok);
  return answer.ok;
}

function show(page, isAnswered) {
  document.querySelector('.messages').replaceWith(page.querySelector('.messages'));
  at('answer').replaceWith(page.getElementById('answer'));
  document.body.dataset.mood = page.body.dataset.mood;
  const told = isAnswered ? at('answer') : document.querySelector('.messages');
  told.scrollIntoView({ block: 'start' });
  if (isAnswered) at('answer').focus({ preventScroll: true });
}

function clear() {
  at('words').value = '';
  given.clear();
  showGiven();
}

async function busy(button, work) {
  button.setAttribute('aria-busy', 'true');
  at('tell').disabled = true;
  try {
    await work();
  } finally {
    button.removeAttribute('aria-busy');
    at('tell').disabled = false;
  }
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const button = event.submitter || at('tell');
  const looks = button.id === 'look';
  if (recorder) return void recorder.stop();
  if (looks && !(await countDown())) return;
  const data = filled(looks);
  if (isEmpty(data)) return void notice(texts.nothing);
  await busy(button, async () => (await send(form.action, data)) && clear());
});

document.addEventListener('submit', (event) => {
  if (!event.target.closest('#answer')) return;
  event.preventDefault();
  busy(event.submitter || at('tell'), () => send(event.target.action, new FormData(event.target)));
});
