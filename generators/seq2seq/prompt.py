"""Turns what a visitor typed into the source that a translator reads, and says what was done to it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from generators.prompts import MOST_NAMED, NAMED_TEXT, clean, strangers
from generators.seq2seq.tokens import UNKNOWN, Languages
from generators.trace import Words

LONGEST = {"sound": 30, "couplet": 20, "sentence": 80}
"""Kind → tokens of a source that are read, the end mark aside; the longest of the training data have 14, 7 and about as many."""
LEARNED_LENGTHS = (5, 7)  # characters in a line of verse
MANY_PIECES = 4  # a word in so many tokens is one that the model hardly knows

SAMPLES = {
    "sound": (
        "imagination", "orchestra", "umbrella", "butterfly", "knowledge", "chocolate", "phoenix", "mountain", "whisper", "lighthouse",
        "elephant", "neighbor", "thunder", "laboratory", "champagne", "psychology",
    ),
    "sentence": (
        "Where did you learn to speak French so well?", "I don't know what to say to you.", "She was reading a book under the old tree.",
        "The children are playing in the garden.", "He forgot to close the door before he left the house.",
        "We have been waiting for you for more than an hour.", "It is raining, but I would like to go for a walk.",
        "My father gave me this watch when I was ten years old.", "Could you tell me where the station is?",
        "If I had enough money, I would buy a house near the sea.",
    ),
    "couplet": (
        "明月松间照", "山光悦鸟性", "野火烧不尽", "两个黄鹂鸣翠柳", "无边落木萧萧下", "海内存知己", "春风又绿江南岸", "感时花溅泪",
        "细雨鱼儿出", "疏影横斜水清浅",
    ),
}  # fmt: skip
"""Kind → what is read where nothing was typed; the seed says which."""

_FRENCH = re.compile(
    r"le|la|les|un|une|des|du|et|est|je|tu|il|elle|nous|vous|ils|elles|ne|pas|que|qui|dans|pour|avec|sur|ce|cette|mon|ma|[cdjlnmst]"
)
_ENGLISH = re.compile(r"the|a|an|and|is|are|i|you|he|she|we|they|not|do|does|in|on|of|to|for|with|this|that|my|it|was|have")


@dataclass(frozen=True)
class Prompt:
    """text: what is read. ids: its tokens, the end mark last; labels: one for each. length: in the units of the card's curves."""

    text: str
    ids: tuple[int, ...]
    labels: tuple[str, ...]
    length: int
    notes: tuple[Words, ...]


def read_source(text: str, languages: Languages, seed: int) -> Prompt:
    """The source for a text. Where there is nothing in it to read, a sample chosen by the seed takes its place, and a note says so."""
    text, notes = clean(text)
    kind = languages.kind
    typed = bool(text.strip())
    text, more = {"sound": _word, "couplet": _line, "sentence": _sentence}[kind](text)
    notes += more
    if not text:
        samples = SAMPLES[kind]
        text = samples[seed % len(samples)]
        why = (
            {"en": "There is nothing in it to read", "zh": "其中没有可读的内容"}
            if typed
            else {"en": "The source is empty", "zh": "原文为空"}
        )
        notes.append({"en": f"{why['en']}, so this was taken: “{text}”.", "zh": f"{why['zh']}，改用：“{text}”。"})
    elif kind == "sentence":
        notes += strangers(text, lambda character: character.isspace() or len(languages.source.encode(character)) == 1)
        notes += _rare_words(text, languages)
    elif kind == "couplet":
        notes += _unknown_characters(text, languages)
    ids = languages.encode_source(text)
    labels = languages.source_labels(text, ids)
    longest = LONGEST[kind]
    if len(ids) - 1 > longest:
        kept = "".join(labels[:longest]).strip()
        notes.append(_cut(len(ids) - 1, longest, kept))
        ids, labels, text = [*ids[:longest], ids[-1]], (*labels[:longest], labels[-1]), kept
    length = len(text.split()) if kind == "sentence" else len(text)
    if kind == "couplet" and length not in LEARNED_LENGTHS:
        notes.append(
            {
                "en": f"The model learned from lines of five and of seven characters; this one has {length}.",
                "zh": f"模型只学过五言和七言；这一句有 {length} 个字。",
            }
        )
    return Prompt(text, tuple(ids), labels, length, tuple(notes))


def _word(text: str) -> tuple[str, list[Words]]:
    """The first word, in the letters that spellings have: a to z and the apostrophe."""
    plain = unicodedata.normalize("NFKD", text.replace("’", "'")).casefold()
    words = [word for each in plain.split() if (word := re.sub(r"[^a-z']", "", each)).strip("'")]
    left_out = [sign for sign in dict.fromkeys(plain) if not (sign.isspace() or re.match(r"[a-z']", sign))]
    notes: list[Words] = []
    if left_out:
        names = " ".join(_shown(sign) for sign in left_out[:MOST_NAMED]) + (" …" if len(left_out) > MOST_NAMED else "")
        notes.append(
            {"en": f"Spellings have letters and the apostrophe only; left out: {names}", "zh": f"拼写只含字母和撇号；已略去：{names}"}
        )
    if len(words) > 1:
        notes.append(
            {
                "en": f"One word at a time: “{words[0][:NAMED_TEXT]}” is read, not what follows it ({len(words) - 1:,} more).",
                "zh": f"一次只读一个词：读了“{words[0][:NAMED_TEXT]}”，后面的 {len(words) - 1:,} 个没有读。",
            }
        )
    return (words[0] if words else ""), notes


def _shown(sign: str) -> str:
    """A sign that stands alone; a mark that would join the one before gets a ground of its own."""
    return f"◌{sign}" if unicodedata.combining(sign) else sign


def _line(text: str) -> tuple[str, list[Words]]:
    """The first line of what was typed, without punctuation and spaces."""
    lines = [line for part in re.split(r"[，。！？；、：,.!?;:\n]+", text) if (line := re.sub(r"\s+", "", part))]
    if len(lines) < 2:
        return (lines[0] if lines else ""), []
    note = {
        "en": f"One line at a time: the first of {len(lines):,} is answered.",
        "zh": f"一次只对一句：{len(lines):,} 句中对第一句。",
    }
    return lines[0], [note]


def _sentence(text: str) -> tuple[str, list[Words]]:
    """What was typed on one line."""
    text = " ".join(text.split())
    words = set(re.findall(r"[a-zà-ÿœ]+", text.casefold()))
    french = sum(bool(_FRENCH.fullmatch(word)) for word in words) + bool(re.search(r"[àâçèéêëîïôœùû]", text.casefold()))
    if french >= 2 and french > sum(bool(_ENGLISH.fullmatch(word)) for word in words):
        return text, [{"en": "This looks like French; the model reads English.", "zh": "这看起来是法语；模型读的是英语。"}]
    return text, []


def _rare_words(text: str, languages: Languages) -> list[Words]:
    words = dict.fromkeys(re.findall(r"[^\W\d_]{3,}", text))
    rare = [word for word in words if word.isascii() and len(languages.source.encode(f" {word}")) >= MANY_PIECES]
    if not rare:
        return []
    names = ", ".join(word[:NAMED_TEXT] for word in rare[:MOST_NAMED]) + (" …" if len(rare) > MOST_NAMED else "")
    return [
        {
            "en": f"The model hardly knows these words and reads them in pieces: {names}.",
            "zh": f"模型不大认识这些词，只能拆开来读：{names}。",
        }
    ]


def _unknown_characters(text: str, languages: Languages) -> list[Words]:
    unknown = [sign for sign in dict.fromkeys(text) if languages.source.encode(sign)[0] == UNKNOWN]
    if not unknown:
        return []
    names = " ".join(map(_shown, unknown[:MOST_NAMED])) + (" …" if len(unknown) > MOST_NAMED else "")
    return [
        {
            "en": f"The model never learned these characters, which are all alike to it: {names}",
            "zh": f"模型没有学过这些字，它们对它都一样：{names}",
        }
    ]


def _cut(count: int, longest: int, kept: str) -> Words:
    """A note on an over-long source: how many of its tokens are read, and up to where."""
    end = kept[-NAMED_TEXT:].strip("\ufffd ")
    return {
        "en": f"The source is too long: the model reads the first {longest} of its {count:,} tokens, up to “… {end}”.",
        "zh": f"原文太长：共 {count:,} 个词元，模型只读取前 {longest} 个，到“……{end}”为止。",
    }
