"""What is known of the generator before any model is loaded."""

from __future__ import annotations

from generators.base import Card, Pin, Setting, Try, Variant

TALES = Variant(
    name="tales_en",
    title={"en": "Tale", "zh": "童话"},
    icon="📖",
    placeholder={"en": "Once upon a time there was a …", "zh": "故事的开头，用英文写，如 Once upon a time"},
    pin=Pin("self", 0, head=2),
    tries=(
        Try(
            question={"en": "Who is it that speaks? Where does the model look it up?", "zh": "是谁在说话？模型到哪里去查？"},
            look_for={
                "en": "Stand at the first “said the”: head 3 gives 96 % to “wo” of the wolf in the prompt, and then, to go on, to “lf”.",
                "zh": "停在第一个“said the”上：第 3 个头把 96% 给了提示里狼（wolf）的“wo”，下一步又给了“lf”。",
            },
            request={"prompt": '"Who are you?" said the wolf.', "seed": 1, "settings": {"temperature": 0.5, "length": 80}},
        ),
        Try(
            question={"en": "What if that one head may not look?", "zh": "如果不让这个头看呢？"},
            look_for={
                "en": "The same dice with head 3 switched off: the sentences hold, but the wolf never comes back.",
                "zh": "骰子不变，关掉第 3 个头：句子还通顺，狼却再也没有出现。",
            },
            request={
                "prompt": '"Who are you?" said the wolf.',
                "seed": 1,
                "settings": {"temperature": 0.5, "length": 80},
                "edits": [{"action": "off", "heads": [2]}],
            },
        ),
        Try(
            question={"en": "How much of a title finds its way into the tale?", "zh": "标题里的词有多少进了故事？"},
            look_for={
                "en": "At “M” in “A Giant Mouse”, head 3 gives nearly everything to “ouse” in the title: "
                "it looks for what came next the last time.",
                "zh": "在“A Giant Mouse”的“M”处，第 3 个头几乎全给了标题里的“ouse”：它在找上一次后面跟着什么。",
            },
            request={
                "prompt": "The Giant And The Mouse",
                "seed": 3,
                "settings": {"start": "title", "temperature": 0.5, "length": 90},
            },
        ),
    ),
)

POEMS = Variant(
    name="poems_zh",
    title={"en": "Poem", "zh": "诗"},
    icon="🖌",
    placeholder={"en": "An opening in Chinese, such as 明月松间照", "zh": "诗的开头，如“明月松间照”；留空则自行开头"},
    pin=Pin("self", 0, head=3, query=26),
    tries=(
        Try(
            question={"en": "Does the last line look at the one before it?", "zh": "末句会看上一句吗？"},
            look_for={
                "en": "At the comma before the last line, head 4 gives 44 % to the first character of the line above. "
                "Walk on with the arrow keys: it moves along with the line, as the two lines of a couplet answer each other.",
                "zh": "停在末句前的逗号上：第 4 个头把 44% 给了上句的第一个字。用方向键往后走，它随之后移：对仗的两句就是这样逐字呼应的。",
            },
            request={"prompt": "", "seed": 1, "settings": {"form": "7", "temperature": 0.8}},
        ),
        Try(
            question={"en": "Which head knows how long a line is?", "zh": "哪个头知道一句有几个字？"},
            look_for={
                "en": "Five characters a line were asked for, but with head 1 switched off the lines have seven: "
                "it is the one that looks at the sign of the form, the very first token.",
                "zh": "要的是五言，关掉第 1 个头却写成了七言：正是它在看最前面表示格式的记号。",
            },
            request={"prompt": "", "seed": 4, "settings": {"form": "5"}, "edits": [{"action": "off", "heads": [0]}]},
        ),
        Try(
            question={"en": "What is left of a poem without any attention?", "zh": "完全关掉注意力，诗还剩什么？"},
            look_for={
                "en": "No line ends any more, and characters repeat. "
                "Compare with the twin, which never had attention and learned to do without.",
                "zh": "句子不再结束，字也不断重复。再与从未有过注意力的对照模型比一比：它学会了不靠注意力写诗。",
            },
            request={"prompt": "", "seed": 1, "settings": {"form": "7"}, "edits": [{"action": "off"}]},
        ),
    ),
    language="zh",
)

CARD = Card(
    name="lstm",
    title={"en": "Write a tale, a poem", "zh": "写童话，写诗"},
    summary={
        "en": "An LSTM writes token by token. At every token, attention looks back over the states of all tokens so far.",
        "zh": "LSTM 逐个词元地写；每写一个，注意力都回看此前所有词元的状态。",
    },
    accepts=("text",),
    produces="text",
    variants=(TALES, POEMS),
    settings=(
        Setting(
            name="temperature",
            kind="float",
            default=0.6,
            low=0.0,
            high=2.0,
            step=0.05,
            label={"en": "Temperature", "zh": "温度"},
            help={
                "en": "Low: what is likely becomes more likely. 0: always the most likely token. Above 1: bolder, and soon nonsense.",
                "zh": "低：可能的更可能；0：总取最可能的词元；高于 1：更大胆，很快会不知所云。",
            },
        ),
        Setting(
            name="top_k",
            kind="int",
            default=40,
            low=0,
            high=200,
            label={"en": "Top k", "zh": "前 k 个"},
            help={"en": "Only the k most likely tokens may follow. 0: all.", "zh": "只从最可能的 k 个词元中选；0 表示全部。"},
        ),
        Setting(
            name="top_p",
            kind="float",
            default=0.95,
            low=0.05,
            high=1.0,
            step=0.05,
            label={"en": "Top p", "zh": "累计概率 p"},
            help={
                "en": "Only the most likely tokens that together reach this probability may follow.",
                "zh": "只从累计概率达到此值的最可能的词元中选。",
            },
        ),
        Setting(
            name="length",
            kind="int",
            default=128,
            low=1,
            high=256,
            label={"en": "Length", "zh": "长度"},
            help={"en": "At most so many tokens are written.", "zh": "最多写这么多个词元。"},
            variants=("tales_en",),
        ),
        Setting(
            name="form",
            kind="choice",
            default="auto",
            label={"en": "Characters in a line", "zh": "每句字数"},
            help={
                "en": "Four lines of five or of seven characters. Auto: as many as the opening's first line has, else seven.",
                "zh": "四句，每句五字或七字。自动：与开头第一句相同，否则七字。",
            },
            choices={"auto": {"en": "Auto", "zh": "自动"}, "5": {"en": "Five", "zh": "五言"}, "7": {"en": "Seven", "zh": "七言"}},
            variants=("poems_zh",),
        ),
        Setting(
            name="start",
            kind="choice",
            default="opening",
            label={"en": "The prompt is", "zh": "提示是"},
            help={
                "en": "An opening, which the text goes on from, or a title, which the text follows.",
                "zh": "开头：接着往下写；标题：按标题来写。",
            },
            choices={"opening": {"en": "An opening", "zh": "开头"}, "title": {"en": "A title", "zh": "标题"}},
        ),
    ),
    anatomy=(
        ({"en": "Embedding", "zh": "词嵌入"}, False),
        ({"en": "LSTM", "zh": "LSTM"}, False),
        ({"en": "Attention", "zh": "注意力"}, True),
        ({"en": "Dense", "zh": "全连接层"}, False),
    ),
    network={"en": "LSTM", "zh": "LSTM"},
)
