"""The pieces that come with Attune: two for each emotion, one for each genre of the mood table."""

from __future__ import annotations

from device.music.compose import (
    Piece,
    Section,
    bass,
    broken,
    chords,
    drums,
    melody,
    pad,
    power,
    single,
    walking,
)


def pieces() -> tuple[Piece, ...]:
    """All pieces, about a minute and a quarter each."""
    return (*_happy(), *_sad(), *_angry(), *_fear(), *_disgust(), *_surprise(), *_neutral())


def _happy() -> tuple[Piece, ...]:
    """Major, quick, bright, everything on the beat."""
    verse, chorus = "C G Am F C G F G ", "F G Em Am F G C C "
    pop = Piece(
        "Sunlit Kitchen", "happy", "pop", 118.0, "C major",
        {
            "g": chords("guitar", "X.xx.xx.", middle=57, strum=0.02),
            "b": bass("bass", "X..xX.x.", low=31),
            "d": drums(kick="X.....x.X.......", snare="....X.......X...", hat="x.x.x.x.x.x.x.x."),
            "c": drums(clap="....x.......x...", shaker="x.xxx.xxx.xxx.xx", crash="x" + "." * 127),
            "m": melody("marimba", "x.xx.x.x X-x.X---", 67, 84, leaps=0.3),
            "h": melody("lead", "X--x--x- x-xxX---", 67, 83, leaps=0.4),
            "p": chords("piano", "X--X--X-", middle=67),
            "s": pad("strings", middle=67),
            "e": single("crash"),
        },
        (
            Section("C G Am F", "g"), Section(verse, "gbdm"), Section(chorus, "gbdchps"), Section(verse, "gbdmp"),
            Section(chorus, "gbdchpsm"), Section("C", "gpe"),
        ),
    )  # fmt: skip
    turn = "D A Bm G "
    dance = Piece(
        "Bright Street", "happy", "dance", 126.0, "D major",
        {
            "k": drums(kick="X...X...X...X...", clap="....x.......x..."),
            "o": drums(open="..x...x...x...x.", hat="x.x.x.x.x.x.x.x."),
            "b": bass("sub", ".x.x.x.x", low=38),
            "c": chords("stab", "X..X..X. ..X..X..", middle=66, step=0.25),
            "a": broken("square", "0123 4321 0234 3210", middle=66, step=0.25, hold=1.0),
            "m": melody("lead", "X.xX.xX- x.xx X---", 69, 86, leaps=0.45),
            "s": pad("pad", middle=62),
            "f": drums(snare="x...x...x.x.xxxx"),
            "e": single("crash"),
        },
        (
            Section(turn, "kc"), Section(turn * 2, "kobc"), Section(turn * 2, "kobcm"), Section("G A Bm D", "sa"),
            Section("G A", "saf"), Section(turn * 3, "kobcmae"), Section("G A D D", "kobcs"), Section("D", "ce"),
        ),
    )  # fmt: skip
    return pop, dance


def _sad() -> tuple[Piece, ...]:
    """Minor, slow, soft, low, with long lines that fall."""
    acoustic = Piece(
        "Empty Chair", "sad", "acoustic", 66.0, "A minor",
        {
            "g": broken("guitar", "02341432", middle=52, hold=3.0),
            "b": bass("bass", "X-------", low=33),
            "m": melody("cello", "X--xx-x- X-x-X-..", 50, 65, leaps=0.3, falls=0.55),
            "f": melody("flute", "....x-x- x-X---..", 64, 77, leaps=0.3, falls=0.55),
            "s": pad("strings", middle=57),
        },
        (
            Section("Am Em", "g"), Section("Am F C Em Dm Am E7 Am ", "gbm"), Section("F C Dm Am F Dm E7 Am ", "gbmsf"),
            Section("Am", "gs"),
        ),
        loudness_db=-20.0,
    )  # fmt: skip
    piano = Piece(
        "Late Rain", "sad", "piano", 58.0, "D minor",
        {
            "l": broken("piano", "02432343", middle=50, hold=3.5),
            "m": melody("piano", "X--xX--- x-x-X---", 65, 79, leaps=0.2, falls=0.55),
            "s": pad("strings", middle=60),
            "c": chords("piano", "X-------", middle=52, strum=0.06),
        },
        (
            Section("Dm Bb", "l"), Section("Dm Bb Gm A7 Dm F Gm A7 ", "lm"), Section("Bb F Gm Dm Gm A7 ", "lms"),
            Section("Dm", "c"),
        ),
        loudness_db=-20.0,
    )  # fmt: skip
    return acoustic, piano


def _angry() -> tuple[Piece, ...]:
    """Minor, fast, loud, distorted, hard attacks."""
    riff, hook = "E5 E5 G5 A5 E5 E5 C5 D5 ", "C5 D5 E5 E5 C5 D5 Bb5 B5 "
    rock = Piece(
        "Slammed Door", "angry", "rock", 144.0, "E minor",
        {
            "l": power("rhythm_l", "X-xxX-xx", low=40),
            "r": power("rhythm_r", "X-xxX-xx", low=40),
            "b": bass("growl", "XxxxXxxx", low=28),
            "d": drums(kick="X..xX.x.X..xX.x.", snare="....X.......X...", hat="x.x.x.x.x.x.x.x.", crash="x" + "." * 63),
            "f": drums(tom="x.xxx.xxx.xxxxxx", snare="............xxxx"),
            "m": melody("solo", "X-xxX--x xxxxX---", 64, 81, leaps=0.35),
            "e": single("crash"),
        },
        (
            Section("E5 E5 G5 A5", "lr"), Section(riff, "lrbd"), Section(hook, "lrbdm"), Section(riff, "lrbd"),
            Section("E5", "f"), Section(hook, "lrbdm"), Section("C5 D5", "lrbf"), Section("E5 E5 G5 A5 ", "lrbdm"),
            Section("E5", "lrbe"),
        ),
        loudness_db=-15.0,
    )  # fmt: skip
    gallop, fall = "D5 D5 Eb5 D5 D5 D5 F5 Eb5 ", "Bb5 C5 D5 D5 Bb5 Ab5 G5 Eb5 "
    metal = Piece(
        "Red Alarm", "angry", "metal", 170.0, "D phrygian",
        {
            "l": power("rhythm_l", "X.xxX.xxX.xxX.xx", low=38, step=0.25),
            "r": power("rhythm_r", "X.xxX.xxX.xxX.xx", low=38, step=0.25),
            "h": power("rhythm_l", "X---X---", low=38),
            "i": power("rhythm_r", "X---X---", low=38),
            "b": bass("growl", "X.xxX.xxX.xxX.xx", low=26, step=0.25),
            "d": drums(kick="X.xxX.xxX.xxX.xx", snare="....X.......X...", open="x...x...x...x..."),
            "k": drums(kick="xxxxxxxxxxxxxxxx", snare="........X.......", open="x.......x......."),
            "m": melody("solo", "xxxxX-xx xxX-X---", 62, 82, leaps=0.2),
            "e": single("crash"),
        },
        (
            Section("D5 D5 Eb5 D5", "lr"), Section(gallop, "lrbd"), Section(fall, "hibkm"), Section(gallop, "lrbd"),
            Section("D5 D5 Eb5 D5", "lr"), Section(fall, "hibkm"), Section(gallop, "lrbdm"), Section("D5", "hibe"),
        ),
        loudness_db=-15.0,
    )  # fmt: skip
    return rock, metal


def _fear() -> tuple[Piece, ...]:
    """Sparse, unsteady, dissonant: half steps and tritones, long silences, no beat to hold on to."""
    ambient = Piece(
        "Unlit Corridor", "fear", "ambient", 54.0, "C octatonic",
        {
            "d": pad("drone", middle=38),
            "g": pad("glass", middle=73),
            "w": single("wind"),
            "b": melody("bells", "x......x ...x.... ........ ..x.....", 72, 91, leaps=0.0),
            "h": drums(tom="x....x.........." + "." * 48),
            "s": melody("cello", "........ X------- ........ ........", 38, 54, leaps=0.0),
        },
        (
            Section("C5 C5", "wd"), Section("Ccluster Ccluster Eb-5 Ccluster", "wdbh"),
            Section("Ccluster Gbcluster Aadd9 Ebdim7", "wdgsbh"), Section("Gbcluster Ccluster C-5 Cdim7", "wdgbs"),
            Section("Ccluster", "wdg"),
        ),
        loudness_db=-22.0,
    )  # fmt: skip
    chill = Piece(
        "Cold Current", "fear", "chill", 74.0, "F# phrygian",
        {
            "e": chords("epiano", "X-----.. ..x-----", middle=57, strum=0.04),
            "b": bass("sub", "X--...x- ........", low=30),
            "d": drums(kick="X.........x.....", snare="........x.......", hat="x..x..x...x..x.."),
            "m": melody("glass", "....x--- ....x-x- ........ x---....", 68, 83, leaps=0.0),
            "a": broken("harp", "0..2..4. .3..1...", middle=66, hold=3.0),
            "p": pad("drone", middle=42),
            "w": single("wind"),
        },
        (
            Section("F#mb9 F#mb9", "wpe"), Section("F#mb9 Gmaj7 F#mb9 Em7b5", "wepb"),
            Section("F#mb9 Gmaj7 F#mb9 C-5 ", "epbdm"), Section("Bmb9 Gmaj7 C#dim C-5 ", "wepbdma"),
            Section("F#mb9 Gmaj7 F#mb9 C-5 F#mb9 Gmaj7", "wepbda"), Section("F#mb9", "wpe"),
        ),
        loudness_db=-21.0,
    )  # fmt: skip
    return ambient, chill


def _disgust() -> tuple[Piece, ...]:
    """Sour: tritones and half steps, notes that lean on the wrong ones, a sneer in the rhythm."""
    slump, sneer = "E5 F5 E5 Bb5 E5 F5 Eb5 Bb5 ", "Ab5 D5 G5 C#5 Ab5 D5 Bb5 Bb5 "
    alternative = Piece(
        "Sour Milk", "disgust", "alternative", 100.0, "E whole",
        {
            "l": power("rhythm_l", "X-.xx-.x", low=40),
            "r": power("rhythm_r", "X---..xx", low=40),
            "g": broken("guitar", "0.1.02.1", middle=52, hold=2.5),
            "b": bass("growl", "X-.xX-x.", low=28),
            "d": drums(kick="X.....xx..X.....", snare="....X.......X..x", hat="x.x.x.x.x.x.x.x."),
            "m": melody("square", "x-x.X--. xx-xX---", 60, 76, leaps=0.1),
            "e": single("crash"),
        },
        (
            Section("E5 F5 E5 Bb5", "gb"), Section(slump, "gbdm"), Section(sneer, "lrbdm"),
            Section("E5 F5 E5 Bb5", "gbdm"), Section(sneer, "lrbdm"), Section("E5", "lrbe"),
        ),
        loudness_db=-16.0,
    )  # fmt: skip
    spit, gag = "A5 A5 Bb5 Eb5 A5 A5 C5 Bb5 ", "F5 E5 Eb5 D5 F5 E5 Bb5 Bb5 "
    punk = Piece(
        "Spit It Out", "disgust", "punk", 178.0, "A phrygian",
        {
            "l": power("rhythm_l", "XxxxXxxx", low=40),
            "r": power("rhythm_r", "XxxxXxxx", low=40),
            "b": bass("growl", "XxxxXxxx", low=28),
            "d": drums(kick="X...x...X.x.x...", snare="..X...X...X...X.", open="x.x.x.x.x.x.x.x."),
            "f": drums(snare="x.x.x.x.xxxxxxxx"),
            "m": melody("square", "XX.XX.X- xxx.X---", 64, 76, leaps=0.15),
            "e": single("crash"),
        },
        (
            Section("A5 A5 Bb5 Eb5", "l"), Section(spit, "lrbd"), Section(spit, "lrbdm"), Section(gag, "lrbdm"),
            Section("A5", "f"), Section(spit, "lrbdm"), Section(gag, "lrbdm"), Section("A5 Bb5 A5 Eb5 ", "lrbd"),
            Section("A5", "lrbe"),
        ),
        loudness_db=-16.0,
    )  # fmt: skip
    return alternative, punk


def _surprise() -> tuple[Piece, ...]:
    """Bright and off the beat: keys that jump without warning, sudden silences, bells where none were."""
    indie = Piece(
        "Sudden Confetti", "surprise", "indie", 124.0, "G lydian",
        {
            "g": chords("guitar", "X.xX.xX. .xX.x.X.", middle=60, strum=0.015),
            "b": bass("bass", "X..X..X. .xX...x.", low=31),
            "d": drums(kick="X..x..X...x.X...", snare="...x....X..x..x.", hat="xxx.xxx.xxx.xxx."),
            "m": melody("marimba", ".xX.xX-x .xxX..xX", 67, 88, leaps=0.6),
            "k": melody("bells", "..x...x. x..x..X-", 76, 96, leaps=0.8),
            "h": melody("flute", "X-x.xX-. .xX-xxX-", 69, 86, leaps=0.6),
            "e": single("crash"),
        },
        (
            Section("G A", "g"), Section("G A G D G A Em -", "gbdm"), Section("Bb C Bb Gm", "gbdmke", "Bb lydian"),
            Section("- E,F# E B", "gbdh", "E lydian"), Section("Db Eb Db -", "gbdmk", "Db lydian"),
            Section("G A G D G A C -", "gbdhke"), Section("B C# B -", "gbdmk", "B lydian"),
            Section("G A G D", "gbdhmke"), Section("Eb G", "gke"),
        ),
    )  # fmt: skip
    electronic = Piece(
        "Pop-Up Circuit", "surprise", "electronic", 130.0, "E lydian",
        {
            "k": drums(kick="X..X...XX..X..x.", clap="....x.......x..x"),
            "o": drums(hat="xxxxx.xxxx.xxxxx", open="..x.....x..x...."),
            "a": broken("square", "0243146502431765", middle=64, step=0.25, hold=0.8),
            "b": bass("sub", "X..x..x.X.x...x.", low=33, step=0.25),
            "c": chords("stab", "..X..X...X..X.X.", middle=64, step=0.25),
            "m": melody("lead", "x.X-.x.X .X-x..xX", 68, 90, leaps=0.7),
            "n": melody("bells", "x..x..x. .x..x...", 76, 96, leaps=0.8),
            "f": drums(snare="x.xx.xxxxxxxxxxx", tom="x..x..x...x.x.x."),
            "e": single("crash"),
        },
        (
            Section("E F# E C#m", "a"), Section("E F# E C#m E F# B -", "kabc"),
            Section("C D C Am", "koabcme", "C lydian"), Section("C", "f"),
            Section("Ab Bb Ab Fm", "koabcn", "Ab lydian"),
            Section("E F# E C#m", "koabcme"), Section("- D", "af", "D lydian"),
            Section("F G F Dm F G F -", "koabcm", "F lydian"), Section("E F# E C#m E F# E -", "koabcmne"),
            Section("C E", "cne"),
        ),
    )  # fmt: skip
    return indie, electronic


def _neutral() -> tuple[Piece, ...]:
    """Moderate in everything: even, consonant, unhurried."""
    classical = Piece(
        "Plain Daylight", "neutral", "classical", 84.0, "F major",
        {
            "a": broken("piano", "02120212", middle=55, hold=1.5),
            "b": bass("cello", "X---X---", low=36, fifths=True),
            "f": melody("flute", "X--xx-x- X-x-X---", 65, 81, leaps=0.25),
            "v": melody("harp", "x-x-x-x- x-x-x---", 65, 82, leaps=0.4),
            "s": pad("strings", middle=62),
            "c": chords("piano", "X-------", middle=60, strum=0.05),
        },
        (
            Section("F C7", "a"), Section("F C Dm Bb F Gm C7 F ", "abf"), Section("Dm Am Bb F Gm Dm G7 C7 ", "absv"),
            Section("F C Dm Bb F Gm,C7 F ", "abfs"), Section("F", "cs"),
        ),
        loudness_db=-19.0,
    )  # fmt: skip
    changes, bridge = "Fmaj7 Dm7 Gm7 C7 Am7 D7 Gm7 C7 ", "Cm7 F7 Bbmaj7 Bbmaj7 Dm7 G7 Gm7 C7 "
    jazz = Piece(
        "Half Past Anything", "neutral", "jazz", 98.0, "F major",
        {
            "w": walking("bass", low=31),
            "e": chords("epiano", "X--x---. .x-.X--.", middle=58),
            "d": drums(brush="x...x.x.x...x.x.", hat="....x.......x...", kick="x.......x......."),
            "m": melody("vibes", "x.xxX-.x .x-xX--.", 67, 84, leaps=0.45),
            "p": melody("piano", ".xxX-xx. x-xX-...", 67, 84, leaps=0.5),
            "c": chords("epiano", "X-------", middle=58, strum=0.06),
        },
        (
            Section("Gm7 C7", "ed"), Section(changes, "wedm"), Section(bridge, "wedp"), Section(changes, "wedm"),
            Section("Gm7 C7", "we"), Section("F6", "c"),
        ),
        swing=0.16,
        loudness_db=-19.0,
    )  # fmt: skip
    return classical, jazz
