"""What is known of the generator before any model is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from generators.base import Card, Pin, Setting, Try, Variant

SOUND = Variant(
    name="sound_en",
    title={"en": "Sound", "zh": "读音"},
    icon="🔊",
    placeholder={"en": "An English word, such as phoenix", "zh": "一个英文单词，如 phoenix"},
    pin=Pin("cross", 0, head=0, query=0),
    tries=(
        Try(
            question={"en": "Which letter is read twice?", "zh": "哪个字母被读了两次？"},
            look_for={
                "en": "Pin K, then S: both look at the one “x”, with 97 and 98 %. And F gives 91 % to “p”, 9 % to “h”.",
                "zh": "先点住 K，再点住 S：两个音都看着同一个“x”，各占 97% 和 98%。F 则把 91% 给“p”，9% 给“h”。",
            },
            request={"prompt": "phoenix"},
        ),
        Try(
            question={"en": "What becomes of a letter that is not spoken?", "zh": "不发音的字母会怎样？"},
            look_for={
                "en": "The first sound, S, gives 97 % to the “s” and passes over the “p”; the “h” is hardly looked at.",
                "zh": "第一个音 S 把 97% 给了“s”，跳过了“p”；“h”也几乎没有被看过。",
            },
            request={"prompt": "psychology"},
        ),
        Try(
            question={"en": "What if it may not look at the “m”?", "zh": "不许看“m”会怎样？"},
            look_for={
                "en": "M is still the likeliest sound, but its chance falls from 97 to 41 %, and the row moves to “o” (88 %): "
                "what was read at a letter also knows the letters beside it.",
                "zh": "M 仍是最可能的音，但概率从 97% 降到 41%，这一行改看“o”（88%）：读到一个字母时的状态也记得它旁边的字母。",
            },
            request={"prompt": "mountain", "edits": [{"action": "hide", "keys": [0]}]},
        ),
        Try(
            question={"en": "What is left when it looks everywhere alike?", "zh": "处处看得一样多，还剩什么？"},
            look_for={
                "en": "“F IY N”: with uniform weights it no longer knows where it is in the word, and stops too early.",
                "zh": "只剩“F IY N”：权重均匀时，它不再知道读到了哪里，过早地停下。",
            },
            request={"prompt": "phoenix", "edits": [{"action": "uniform"}]},
        ),
    ),
)

FRENCH = Variant(
    name="eng_fra",
    title={"en": "French", "zh": "英译法"},
    icon="🗼",
    placeholder={"en": "An English sentence, such as Where is the station?", "zh": "一句英语，如 Where is the station?"},
    pin=Pin("cross", 0, head=0, query=5),
    tries=(
        Try(
            question={"en": "Where does it look to choose between “le” and “la”?", "zh": "选 le 还是 la，要看哪里？"},
            look_for={
                "en": "Pin “le”: 46 % goes to “gard”, only 36 % to “the”. The gender of an article comes from a noun not yet written.",
                "zh": "点住“le”：46% 看“gard”，只有 36% 看“the”。冠词的阴阳性取决于还没写出来的名词。",
            },
            request={"prompt": "The children are playing in the garden."},
        ),
        Try(
            question={"en": "What if it may not look at “red”?", "zh": "不许看“red”会怎样？"},
            look_for={
                "en": "The car loses its colour: “Elle a acheté une voiture.” "
                "The last word gave 47 % to “car” and 41 % to “red”, now 79 % to “car”.",
                "zh": "汽车没了颜色：“Elle a acheté une voiture.”原来“voiture”把 47% 给“car”、41% 给“red”，现在 79% 给“car”。",
            },
            request={"prompt": "She bought a red car.", "edits": [{"action": "hide", "keys": [3]}]},
        ),
        Try(
            question={"en": "Which English words are in “j'achèterais”?", "zh": "“j'achèterais”里有哪些英语词？"},
            look_for={
                "en": "Its apostrophe gives 50 % to “would” and 40 % to “buy”, then “ach” 95 % to “buy”: two words become one. "
                "Four beams: under each word stand the hypotheses that were kept.",
                "zh": "其中的撇号把 50% 给“would”、40% 给“buy”，接着“ach”把 95% 给“buy”：两个词合成一个。"
                "束宽为 4：每个词下面是当时保留的假设。",
            },
            request={"prompt": "If I had enough money, I would buy a house near the sea.", "settings": {"beams": 4}},
        ),
        Try(
            question={"en": "What does one vector forget of a long sentence?", "zh": "一个向量会忘掉长句里的什么？"},
            look_for={
                "en": "Without attention the sister becomes a second brother and the cat is gone: "
                "“Mon frère et mon frère et jouent au jardin avec le chien.” With it, both sister and cat are there.",
                "zh": "没有注意力，妹妹成了第二个兄弟，猫不见了：“Mon frère et mon frère et jouent au jardin avec le chien.”"
                "带上注意力，妹妹和猫都在。",
            },
            request={
                "prompt": "My brother and my sister are playing in the garden with the dog and the cat.",
                "settings": {"beams": 4},
                "without": True,
            },
        ),
    ),
    language="fr",
)

COUPLET = Variant(
    name="couplets_zh",
    title={"en": "Couplet", "zh": "对联"},
    icon="🏮",
    placeholder={"en": "A first line in Chinese, five or seven characters", "zh": "上联，五言或七言，如“两个黄鹂鸣翠柳”"},
    pin=Pin("cross", 0, head=0, query=2),
    tries=(
        Try(
            question={"en": "Does each character answer the one above it?", "zh": "每个字都对着上句的同一个字吗？"},
            look_for={
                "en": "A clean diagonal: 一 (one) gives 93 % to 两 (two), 红 (red) 97 % to 黄 (yellow), 叶 (leaf) 92 % to 鹂 (oriole). "
                "Nobody told it that the lines of a couplet answer word by word.",
                "zh": "一条清楚的对角线：“一”把 93% 给“两”，“红”把 97% 给“黄”，“叶”把 92% 给“鹂”。没有人教过它对仗要逐字相对。",
            },
            request={"prompt": "两个黄鹂鸣翠柳"},
        ),
        Try(
            question={"en": "What if it may not look at 黄 (yellow)?", "zh": "不许看“黄”会怎样？"},
            look_for={
                "en": "The colour 红 is gone and 花 (flower) stands there: that row now looks at 鹂 (65 %). 青, which answers 翠, stays.",
                "zh": "颜色字“红”没了，换成“花”：这一行改看“鹂”（65%）。对着“翠”的“青”还在。",
            },
            request={"prompt": "两个黄鹂鸣翠柳", "edits": [{"action": "hide", "keys": [2]}]},
        ),
        Try(
            question={"en": "What does it write when it looks at all characters alike?", "zh": "每个字看得一样多，会写出什么？"},
            look_for={
                "en": "Five things in a row, wind, cloud, water, stone, sky (风云水石天): the length holds, but nothing answers. "
                "With its own weights it wrote 清风竹外闻, “a clear wind, heard beyond the bamboo”.",
                "zh": "“风云水石天”，五个名词排成一行：字数没错，却不再逐字相对。用它自己的权重，写的是“清风竹外闻”。",
            },
            request={"prompt": "明月松间照", "edits": [{"action": "uniform"}]},
        ),
    ),
    language="zh",
)

CARD = Card(
    name="seq2seq",
    title={"en": "Say it, translate it, answer a verse", "zh": "读出来，译出来，对下联"},
    summary={
        "en": "One network reads, another writes. At every word it writes, attention looks back over all that was read.",
        "zh": "一个网络读，一个网络写；每写一个词，注意力都回看读过的全部内容。",
    },
    accepts=("text",),
    produces="text",
    variants=(SOUND, FRENCH, COUPLET),
    settings=(
        Setting(
            name="beams",
            kind="int",
            default=1,
            low=1,
            high=8,
            label={"en": "Beams", "zh": "束宽"},
            help={
                "en": "So many hypotheses are followed at a time (beam search). 1: always the most likely token.",
                "zh": "同时保留这么多个假设（束搜索）；1：总取最可能的词元。",
            },
        ),
        Setting(
            name="length",
            kind="int",
            default=100,
            low=1,
            high=100,
            label={"en": "Length", "zh": "长度"},
            help={"en": "At most so many tokens are written.", "zh": "最多写这么多个词元。"},
        ),
    ),
    anatomy=(
        ({"en": "Embedding", "zh": "词嵌入"}, False),
        ({"en": "BiGRU reads", "zh": "双向 GRU 读"}, False),
        ({"en": "Attention", "zh": "注意力"}, True),
        ({"en": "GRU writes", "zh": "GRU 写"}, False),
        ({"en": "Maxout, Dense", "zh": "Maxout、全连接层"}, False),
    ),
    network={"en": "Seq2seq", "zh": "Seq2seq"},
    paper={
        "en": "In the paper: 26.75 BLEU with attention, 17.82 without, 1.50× (Bahdanau, Cho, Bengio 2015, table 1).",
        "zh": "论文中：带注意力 BLEU 26.75，不带 17.82，1.50 倍（Bahdanau、Cho、Bengio，2015，表 1）。",
    },
    claim={
        "en": "Bahdanau, Cho and Bengio (2015): one vector of a fixed size is a bottleneck, and long sentences fail. With attention their "
        "translations into French scored 26.75 BLEU, without 17.82 (table 1, sentences up to 50 words in training, all test sentences).",
        "zh": "Bahdanau、Cho、Bengio（2015）：把整句压进一个固定长度的向量是瓶颈，长句会失败。他们的英法翻译，带注意力 BLEU 为 26.75，"
        "不带为 17.82（表 1，训练句至多 50 词，全部测试句）。",
    },
)

EXAMPLES: dict[str, dict[str, Mapping[str, Any]]] = {
    "sound_en": {
        "phoenix": {"text": "phoenix"},
        "knowledge": {"text": "knowledge"},
        "psychology": {"text": "psychology"},
        "butterfly": {"text": "butterfly"},
        "champagne": {"text": "champagne", "settings": {"beams": 4}},
        "neighbor": {"text": "neighbor"},
        "lighthouse": {"text": "lighthouse"},
    },
    "eng_fra": {
        "in-the-garden": {"text": "The children are playing in the garden."},
        "never-in-paris": {"text": "She told me that she had never been to Paris.", "settings": {"beams": 4}},
        "a-red-car": {"text": "She bought a red car."},
        "speak-french": {"text": "Where did you learn to speak French so well?", "settings": {"beams": 4}},
        "the-watch": {"text": "My father gave me this watch when I was ten years old.", "settings": {"beams": 4}},
        "the-white-house": {"text": "The white house is very big.", "settings": {"beams": 4}},
        "a-house-near-the-sea": {"text": "If I had enough money, I would buy a house near the sea.", "settings": {"beams": 4}},
        "dog-and-cat": {"text": "My brother and my sister are playing in the garden with the dog and the cat.", "settings": {"beams": 4}},
    },
    "couplets_zh": {
        "two-orioles": {"text": "两个黄鹂鸣翠柳"},
        "moon-among-the-pines": {"text": "明月松间照"},
        "smoke-over-the-desert": {"text": "大漠孤烟直", "settings": {"beams": 4}},
        "light-on-the-hills": {"text": "山光悦鸟性"},
        "fine-rain": {"text": "细雨鱼儿出"},
        "spring-wind": {"text": "春风又绿江南岸"},
        "april": {"text": "人间四月芳菲尽"},
        "plum-shadows": {"text": "疏影横斜水清浅"},
    },
}
"""Stored runs: variant → file name → what `Request.check` takes. The first of each is the one that is seen learning."""
