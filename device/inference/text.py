"""Typed words to calibrated emotion scores: clean, tokenize, judge."""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from device.inference.scores import softmax
from device.ports import Network
from device.signals import EMOTIONS, Emotion, Estimate, ModelError, Scores, Sentence

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

MAX_CHARACTERS: Final = 10_000
"""Words beyond this are not read: it bounds the work of cleaning, and 512 tokens are at most some 3,000 characters."""

MAX_TOKENS: Final = 512
"""The network has this many position embeddings."""

_RESTORE: Final = "restore it by `git checkout models` or reinstall attune"

_EMOJI: Final[Mapping[str, str]] = {
    "I am laughing": "😂🤣😆😹😅",
    "I love it": "❤♥💕💜💙💖💗💛💚🧡💓💞💘❣💝😍🥰😘😻",
    "I am crying": "😭😢😿🥺",
    "I am happy": "😊😁😄😀😃☺🙂😺😇🤗😸🥳",
    "funny": "😜😝😛🤪😋",
    "wink": "😉😏",
    "I am angry": "😡😠🤬👿💢😾",
    "I am annoyed": "🙄😒😑😤",
    "I am sad": "😔☹🙁😞😟😥😓🥀",
    "I am miserable": "😩😫😖😣",
    "my heart is broken": "💔",
    "I am scared": "😱😨😰😧😦🙀",
    "I am nervous": "😬",
    "I am shocked": "😮😲😯🤯😳",
    "disgusting": "🤢🤮🤧",
    "great": "👍👌👏🙌🎉💯🔥🤩😎✌💪✨🏆🎊",
    "bad": "👎",
    "I am confused": "😕🤷🙃🤨",
    "stupid": "🤦🤡",
    "thinking": "🤔",
    "please": "🙏",
    "I am tired": "😪😴🥱",
    "I am sick": "😷🤒🤕",
}
"""What people mean by the emoji they type most, of which the vocabulary knows none; a sentence says it clearer than a
word ("I am angry" is judged angry, "angry" neutral)."""

_EMOJI_WORDS: Final = {ord(emoji): f" {words} " for words, row in _EMOJI.items() for emoji in row}
_SAME_EMOJI: Final = re.compile(r"([\u2600-\u27bf\U0001f300-\U0001faff])(?:\s*\1)+")

_EMOTICONS: Final[Sequence[tuple[re.Pattern[str], str]]] = (
    (re.compile(r"(?<!\w)[:=;][-^o]?'[-^o]?\(+(?!\w)"), " I am crying "),
    (re.compile(r"(?<!\w)>[:=][-^o]?[(\[]+(?!\w)"), " I am angry "),
    (re.compile(r"(?<!\w)(?:[:=;][-^o]?D+|[xX]D+)(?!\w)"), " I am laughing "),
    (re.compile(r"(?<!\w)[:=][-^o]?[)\]]+(?!\w)"), " I am happy "),
    (re.compile(r"(?<!\w);[-^o]?[)\]]+(?!\w)"), " wink "),
    (re.compile(r"(?<!\w)[:=][-^o]?[(\[]+(?!\w)"), " I am sad "),
    (re.compile(r"(?<!\w)[:=][-^o]?[/\\](?![\w/])"), " I am annoyed "),
    (re.compile(r"(?<!\w)<3+(?!\w)"), " I love it "),
)

_URL: Final = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_HANDLE: Final = re.compile(r"(?<!\w)@\w+")
_SUBREDDIT: Final = re.compile(r"(?<!\w)/?[ru]/(?=\w)")
_LONG_LETTERS: Final = re.compile(r"([^\W\d_])\1{2,}")
_LONG_SYMBOLS: Final = re.compile(r"([^\w\s])\1{3,}")
_UNUSUAL: Final = re.compile(r"[^ -~]")
_FIRST_SYMBOL: Final = 0x2000
_SPACE: Final = re.compile(r"\s+")
_QUOTES: Final = str.maketrans({"‘": "'", "’": "'", "´": "'", "`": "'", "“": '"', "”": '"', "…": "..."})

_CASUAL: Final = frozenset(
    """
    aah aargh ah aha argh aw aww awww bleh boo brr duh eek eew eh ew eww eyy gah grr ha haha hahaha hehe hey hm hmm hmph
    hooray huh hurray idk lmao lol meh mhm mmm nah nope oh omg ooh oops ouch ow pff phew pfft rofl shh tsk ugh uh uhh um
    wahoo whew whoa woah woohoo wow wtf yay yaay yeah yep yikes yippee yo yuck yum yup congrats
    aint bc btw cant cos couldnt cuz didnt doesnt dont dunno gimme gonna gotta gr8 hasnt im imo isnt ive kinda lemme
    m8 ngl nite pls plz rn shouldnt skool sorta tbh thats theyre thx tmrw tomoz u ur wanna wasnt wont wouldnt ya youre
    yall
    """.split()  # noqa: SIM905 - a list of 100 quoted words would hide them
)
"""English that the vocabulary splits into pieces although everybody knows it."""

_GERMANIC: Final = """
    der das und ist ich nicht ein eine einen mir mich dich dir es zu sehr heute wir sie auf mit fur auch aber habe bin
    bist sind wie wo warum ja nein schon von dem het een niet van dat dit ik ben zijn maar heb heel erg mijn wat ook
    voor met naar geen och ar jag det inte att som er ikke og jeg pa hun av
"""
_ROMANCE: Final = """
    le la les je tu il elle est et un une des du pas que qui suis ce mon ma mes tres avec pour dans nous vous sur mais
    sont cette au aux ca quoi tout bien oui merci el los las y es muy estoy siento tengo quiero por para una con
    como esta este todo pero nos hoy gracias mas de del al lo o os um uma eu nao muito meu minha estou isso hoje com
    tao voce di che sono non molto questo questa per oggi anche della gli cosi ci mio mia perche sunt nu foarte azi
"""
_OTHERS: Final = """
    nie jest sie w na z jak tak ale czy jestem mam bardzo dzisiaj je jsem bir cok bu bugun icin nem egy az hogy nagyon
    ja ei olen mina aku saya yang tidak ini itu sangat hari
"""
_OTHER_LANGUAGES: Final = frozenset((_GERMANIC + _ROMANCE + _OTHERS).split())
"""Function words of other languages, accents stripped, without those that are English too (die, was, on, to)."""

_RARE: Final = 0.6
"""What a word counts that the vocabulary holds whole but that is rare: it may be English or a name from elsewhere."""

_UNKNOWN_ID: Final = 1
_SHORTNESS: Final = 0.4
"""One word alone is believed this much less than a long text: of its emotions 50 % are right, of long texts' 75 %."""

_NEUTRAL_WORDS: Final = 5.0
"""Words of a text from which `neutral` is evidence; fitted so that reliability falls with the accuracy of cut texts."""

_NEUTRAL_MOST: Final = 0.9
"""Neutral counts against a text no further than so: of whole texts of 4 to 7 words judged surer than this, 92 % are."""

_FAMILIAR_FLOOR: Final = 0.5
_FAMILIAR_FULL: Final = 0.85
"""Shares of common English words under which a text counts as foreign, and from which it counts as wholly English."""


def clean(words: str) -> str:
    """Plain text on one line: NFC, no links, control or zero-width characters, emoji and emoticons as English words.

    Reads at most MAX_CHARACTERS; handles become the placeholder that GoEmotions has for names. Never raises.
    """
    text = unicodedata.normalize("NFC", html.unescape(words[:MAX_CHARACTERS]))
    text = _UNUSUAL.sub(_visible, _HANDLE.sub("[NAME]", _URL.sub(" ", text)))
    text = _emoticons_to_words(_SAME_EMOJI.sub(r"\1", text).translate(_EMOJI_WORDS).translate(_QUOTES))
    text = _LONG_SYMBOLS.sub(r"\1\1\1", _LONG_LETTERS.sub(r"\1\1", _SUBREDDIT.sub("", text)))
    return _SPACE.sub(" ", text).strip()[:MAX_CHARACTERS]


def _emoticons_to_words(text: str) -> str:
    for pattern, word in _EMOTICONS:
        text = pattern.sub(word, text)
    return text


def _visible(unusual: re.Match[str]) -> str:
    """Nothing for what joins or varies emoji and for zero-width characters, a space for other control characters."""
    character = unusual.group()
    category = unicodedata.category(character)
    if category == "Cf" or (category in ("Mn", "Me") and ord(character) > _FIRST_SYMBOL):
        return ""
    return " " if category[0] in "CZ" else character


@dataclass(frozen=True, slots=True)
class TextCalibration:
    """How seven logits become scores and decisions, all in the order of EMOTIONS; fitted on development texts.

    Scores are softmax((logit + bias) / temperature); an emotion is present where sigmoid(logit) reaches its threshold.
    Token ids under `common_words` stand for words that are frequent in English.
    """

    temperature: float = 1.0
    bias: tuple[float, ...] = (0.0,) * len(EMOTIONS)
    thresholds: tuple[float, ...] = (0.5,) * len(EMOTIONS)
    common_words: int = 10_000

    def scores(self, logits: NDArray[np.float32]) -> Scores:
        """Seven probabilities that sum to 1."""
        scaled = (logits.astype(np.float64) + np.asarray(self.bias)) / self.temperature
        return softmax(scaled)

    def present(self, logits: NDArray[np.float32]) -> tuple[Emotion, ...]:
        """The emotions over their own threshold: none, one or several."""
        chances = 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -50, 50)))
        return tuple(e for e, p, least in zip(EMOTIONS, chances, self.thresholds, strict=True) if p >= least)


@dataclass(frozen=True, slots=True)
class JudgedText:
    """Scores over EMOTIONS (sum 1), their reliability 0..1, and the emotions present; not `found`: no words in it.

    `english` is how far the words are in plain English, 0..1; the reliability is less for short texts, too.
    """

    scores: Scores
    reliability: float
    present: tuple[Emotion, ...]
    found: bool = True
    english: float = 0.0


NOTHING: Final = JudgedText((0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0), 0.0, (), found=False)
"""What a text without a single word gets."""


class TextPath:
    """Sentences in, estimates out; for one thread, as its network is."""

    def __init__(self, tokenizer: Tokenizer, network: Network, calibration: TextCalibration) -> None:
        tokenizer.enable_truncation(MAX_TOKENS)
        tokenizer.no_padding()
        self._tokenizer, self._network, self._calibration = tokenizer, network, calibration

    def __call__(self, sentence: Sentence) -> Iterable[Estimate]:
        """One estimate, or none where the sentence holds no words."""
        judged = self.judge_text(sentence.words)
        if judged.found:
            who = sentence.listener or "room"
            yield Estimate(sentence.at, "text", judged.scores, judged.reliability, who)

    def judge_text(self, words: str) -> JudgedText:
        """Judge any string; one at a time, since in a batch int8 rounding would depend on the neighbours."""
        text, encoding = self._tokenized(words)
        familiar = [share for _, share in _letter_words(text, encoding, self._calibration.common_words)]
        if not familiar:
            return NOTHING
        logits = self._run(encoding.ids)
        scores = self._calibration.scores(logits)
        english = english_share(text, familiar)
        reliability = english * told_share(len(familiar), scores)
        return JudgedText(scores, reliability, self._calibration.present(logits), english=english)

    def logits_of(self, words: str) -> NDArray[np.float32]:
        """The network's seven raw outputs, which training calibrates; raises ModelError where they are not seven."""
        return self._run(self._tokenized(words)[1].ids)

    def _tokenized(self, words: str) -> tuple[str, Encoding]:
        text = clean(words)
        return text, self._tokenizer.encode(text)

    def _run(self, ids: Sequence[int]) -> NDArray[np.float32]:
        logits = self._network.run(np.asarray([ids], dtype=np.int64))[0].reshape(-1)
        if logits.shape != (len(EMOTIONS),) or not np.isfinite(logits).all():
            raise ModelError(f"the text model gave {logits.shape} numbers, not seven: run `attune models verify`")
        return logits


def load_tokenizer(data: bytes) -> Tokenizer:
    """The tokenizer in the bytes of a tokenizer.json; raises ModelError where it cannot be read."""
    try:
        from tokenizers import Tokenizer

        if "model" not in json.loads(data):  # the library would raise a bare Exception
            raise ValueError("it has no model")
        return Tokenizer.from_str(data.decode())
    except ImportError as error:
        raise ModelError(f"text: {error}; `make setup` installs the tokenizer") from error
    except ValueError as error:
        raise ModelError(f"text: the tokenizer cannot be read: {error}; {_RESTORE}") from error


def english_share(text: str, familiar: Sequence[float]) -> float:
    """How far a text is in plain English, 0..1, by how familiar each of its words is and by its letters."""
    share = np.mean(familiar)
    english = np.clip((share - _FAMILIAR_FLOOR) / (_FAMILIAR_FULL - _FAMILIAR_FLOOR), 0, 1)
    return float(english * _ascii_share(text))


def told_share(words: int, scores: Scores) -> float:
    """How far so many words bear scores out, 0..1: less for very short texts, far less where these are judged neutral.

    Where words are missing, the network says neutral and is ever surer of it. GoEmotions' texts cut to 10, 5, 3, 2 and
    1 word: it says neutral in 38, 52, 65, 77 and 89 % (whole: 30 %) and is right in less and less of these, while of
    the emotions that it still tells, 72, 70, 67, 60 and 50 % are right (whole: 75 %). Neutral is no evidence there.
    """
    neutral = min(scores[EMOTIONS.index("neutral")], _NEUTRAL_MOST)
    return float((1 - _SHORTNESS / words) * (1 - neutral) ** (_NEUTRAL_WORDS / words))


def _letter_words(text: str, encoding: Encoding, common_words: int) -> Iterable[tuple[str, float]]:
    """Each word that has a letter, with how familiar it is, -1 (of another language) to 1 (common English)."""
    for positions in _positions(encoding):
        first, last = encoding.offsets[positions[0]][0], encoding.offsets[positions[-1]][1]
        if any(map(str.isalpha, text[first:last])):
            word = "".join(encoding.tokens[k].removeprefix("##") for k in positions)
            yield word, _familiar(word, [encoding.ids[k] for k in positions], common_words)


def _positions(encoding: Encoding) -> Iterable[list[int]]:
    """The positions of the pieces of each word."""
    pieces: dict[int, list[int]] = {}
    for position, word in enumerate(encoding.word_ids):
        if word is not None:
            pieces.setdefault(word, []).append(position)
    return pieces.values()


def _familiar(word: str, ids: Sequence[int], common_words: int) -> float:
    if word in _OTHER_LANGUAGES:
        return -1.0
    if word in _CASUAL:
        return 1.0
    if len(ids) > 1 or ids[0] == _UNKNOWN_ID:
        return 0.0
    return 1.0 if ids[0] < common_words else _RARE


def _ascii_share(text: str) -> float:
    """1 for plain English letters, falling to 0 where a third of the letters is accented or of another script."""
    letters = [c for c in text if c.isalpha()]
    foreign = sum(not c.isascii() for c in letters)
    return max(0.0, 1 - 3 * foreign / max(1, len(letters)))


def calibration_from(table: Mapping[str, Any]) -> TextCalibration:
    """The calibration in a manifest's table; raises ModelError where a number is missing or out of place."""
    try:
        calibration = TextCalibration(
            temperature=float(table["temperature"]),
            bias=tuple(map(float, table["bias"])),
            thresholds=tuple(map(float, table["thresholds"])),
            common_words=int(table["common_words"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"text: the calibration lacks or garbles {error}; {_RESTORE}") from error
    lengths = {len(calibration.bias), len(calibration.thresholds)}
    if lengths != {len(EMOTIONS)} or calibration.temperature <= 0:
        raise ModelError(f"text: the calibration needs seven biases and thresholds and a temperature > 0; {_RESTORE}")
    return calibration
