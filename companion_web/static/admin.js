// A place for a track with a finger: tap or drag on the plane.

const plane = document.querySelector('[data-place]');
const valence = document.getElementById('valence');
const arousal = document.getElementById('arousal');

function clamp(value) {
  return Math.max(-1, Math.min(1, Math.round(value * 20) / 20));
}

function show() {
  const dot = plane.querySelector('.dot');
  const isPlaced = valence.value !== '' && arousal.value !== '';
  dot.setAttribute('visibility', isPlaced ? 'visible' : 'hidden');
  dot.setAttribute('cx', Number(valence.value));
  dot.setAttribute('cy', -Number(arousal.value));
}

function place(event) {
  if (event.type === 'pointermove' && !event.buttons) return;
  const box = plane.getBoundingClientRect();
  valence.value = clamp(((event.clientX - box.left) / box.width) * 2.2 - 1.1);
  arousal.value = clamp(1.1 - ((event.clientY - box.top) / box.height) * 2.2);
  show();
}

if (plane) {
  plane.removeAttribute('hidden');
  plane.addEventListener('pointerdown', place);
  plane.addEventListener('pointermove', place);
  valence.addEventListener('input', show);
  arousal.addEventListener('input', show);
  show();
}
