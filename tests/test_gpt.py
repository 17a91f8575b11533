"""The transformer: what transformers says it is, in its own files; its twin the causal mean; only new rows are computed."""

import itertools
from dataclasses import replace

import pytest
import torch
import transformers

import generators
from generators import tokens
from generators.attention import watch
from generators.base import NotReady, Request
from generators.edits import Edit
from generators.gpt import Run
from generators.gpt.card import CONTEXT
from generators.gpt.model import CausalMean, new_config, new_memory, new_model, new_twin
from generators.gpt.train import train
from generators.pretrained import watchable
from generators.training import read_json, write_json

TALE = "Once upon a time there was a cat, who ate a mouse.\nThe mouse said: “Thank you.”\n"
OPENINGS = [
    *(
        "",
        "Once",
        "Once upon a time",
        "The king",
        "A cat",
        "There was",
        '"Who are you?" said the wolf.',
        "The mouse said:",
        "Ada",
        "In the wood",
    ),
    *("The old witch", "He went home", "She laughed", "Far away", "One day the", "The end", "Mother", "It was night", "Gold", "Thank you"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of a visitor's text after two steps, with its twin."""
    home = tmp_path_factory.mktemp("gpt")
    text, out = home / "own.txt", home / "own"
    text.write_text(TALE * 40, encoding="utf-8")
    for attention in (True, False):
        train(None, text=text, out=out, steps=2, attention=attention)
    return out


@pytest.fixture(scope="module")
def config():
    return new_config(50, width=16, layers=2, heads=2, mlp=24)


@pytest.fixture(params=["model", "twin"])
def model(request, config):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return watchable(new_model(config)) if request.param == "model" else new_twin(config).eval()


def ids(*shape):
    return torch.randint(0, 50, shape, generator=torch.Generator().manual_seed(2))


def ask(text="Ada", **given):
    return Request.check(Run.card, text=text, **given)


# The network


@torch.inference_mode()
def test_no_logit_knows_a_later_token(model):
    one = ids(1, 12)
    two = one.clone()
    two[:, 7:] = (two[:, 7:] + 1) % 50
    a, b = model(one).logits, model(two).logits
    assert torch.allclose(a[:, :7], b[:, :7], atol=1e-6) and not torch.allclose(a[:, 7:], b[:, 7:], atol=1e-3)


@torch.inference_mode()
def test_reading_token_by_token_gives_the_same_logits(model):
    inputs, memory = ids(1, 12), new_memory(model)
    whole = model(inputs).logits
    parts = [model(part, past_key_values=memory, use_cache=True).logits for part in (inputs[:, :5], *inputs[:, 5:].split(1, dim=1))]
    assert torch.allclose(torch.cat(parts, 1), whole, atol=1e-5)


@torch.inference_mode()
def test_the_twin_takes_the_mean_of_the_values(config):
    mean = CausalMean(config, 0)
    states = torch.randn(1, 5, 16, generator=torch.Generator().manual_seed(3))
    out, _ = mean(states)
    for row in range(5):
        assert torch.allclose(out[0, row], mean.o_proj(mean.v_proj(states[0, : row + 1]).mean(0)), atol=1e-6)


@torch.inference_mode()
def test_the_twin_remembers_one_row(config):
    twin, sizes = new_twin(config).eval(), []
    memory = new_memory(twin)
    for part in (ids(1, 9), ids(1, 1)):
        twin(part, past_key_values=memory, use_cache=True)
        sizes.append([each.shape for each in memory._sums])
    assert sizes[0] == sizes[1] == [(1, 1, 16)] * 2 and memory.get_seq_length() == 10


@pytest.mark.parametrize("sizes", [{"vocab_size": 3072, "mlp": 352}, {"vocab_size": 3500, "mlp": 304}])
def test_the_twin_is_as_large(sizes):
    config = new_config(**sizes)
    count = [sum(weight.numel() for weight in build(config).parameters()) for build in (new_model, new_twin)]
    assert abs(count[0] - count[1]) <= 0.02 * count[0] and max(count) <= 3e6
    assert config.num_hidden_layers >= 4 and config.num_attention_heads >= 4 and config.max_position_embeddings == CONTEXT >= 512


@torch.inference_mode()
def test_the_stack_reads_what_transformers_reads():
    run = Run.tiny()
    model = run.model(True)
    inputs = torch.tensor([run.prompt(ask("The same weights, side by side.")).ids])
    for _ in range(2):
        model.set_attn_implementation("eager")
        expected = model(inputs, output_attentions=True)
        model.set_attn_implementation("attention_lab")
        memory, first = None, 0
        for part in (inputs[:, :9], inputs[:, 9:12], *inputs[:, 12:].split(1, dim=1)):
            with watch(first_query=first) as watcher:
                logits, memory = run.read(model, part, memory)
            first += part.shape[1]
            assert torch.allclose(logits, expected.logits[0, first - 1], atol=1e-5)
            for heard, weights in zip(watcher.heard, expected.attentions, strict=True):
                assert torch.allclose(heard.weights, weights[:, :, first - part.shape[1] : first, :first], atol=1e-6)
        model.load_state_dict({name: weight * 0.9 for name, weight in model.state_dict().items()})  # is read from now on


@torch.inference_mode()
def test_every_head_counts(config):
    run = Run.tiny()
    inputs = torch.tensor([run.prompt(ask("every head")).ids])
    plain, _ = run.read(run.model(True), inputs, None)
    for layer, head in itertools.product(range(4), range(4)):
        with watch((Edit("off", layers=(layer,), heads=(head,)),)):
            without, _ = run.read(run.model(True), inputs, None)
        assert not torch.allclose(plain, without, atol=1e-4), f"head {head} of layer {layer} changes nothing"


# Its files


@torch.inference_mode()
def test_transformers_reads_the_folder(folder):
    run = Run.load(folder)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    assert type(theirs) is transformers.Qwen3ForCausalLM
    text = "Once upon a time"
    read = run.prompt(ask(text)).ids
    assert tokenizer("⟨text⟩" + text)["input_ids"] == list(read)
    expected = theirs.eval()(torch.tensor([read])).logits[0, -1]
    ours, _ = run.read(run.model(True), torch.tensor([read]), None)
    assert torch.allclose(ours, expected, atol=1e-5)


def test_a_visitors_text_makes_a_model_and_its_twin(folder):
    card = read_json(folder / "card.json")
    assert card["training"]["steps"] == card["training_without"]["steps"] == 2
    run = Run.load(folder)
    texts = [run.trace(replace(ask(settings={"length": 3}), attention=each)) for each in (True, False)]
    assert all(trace.done for trace in texts) and texts[0].maps() and not texts[1].maps()


def test_weights_that_do_not_fit_are_one_sentence(folder, tmp_path):
    for path in folder.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    write_json(tmp_path / "config.json", {**read_json(folder / "config.json"), "hidden_size": 96})
    with pytest.raises(NotReady, match="do not fit"):
        Run.load(tmp_path)


# Runs


@pytest.mark.parametrize("variant", ["own", "tales_en"])
def test_greedy_text_is_what_transformers_generates(variant, folder):
    """Twenty openings, watched, token for token."""
    folder = folder if variant == "own" else generators.folders("gpt")[variant]
    run = Run.load(folder)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    never = [each for each in range(len(tokens.SPECIALS)) if each != tokens.END]
    for text in OPENINGS:
        request = ask(text, settings={"temperature": 0, "length": 40})
        read = torch.tensor([run.prompt(request).ids])
        expected = theirs.generate(read, attention_mask=torch.ones_like(read), max_new_tokens=40, do_sample=False, suppress_tokens=never)
        assert run.trace(request).forced == tuple(expected[0, read.shape[1] :].tolist()), text


def test_a_step_computes_the_new_row_only():
    trace = Run.tiny().trace(ask(settings={"length": 5}))
    prompt = len(trace.steps[0].prompt)
    shapes = [[each.weights.shape for each in step.attentions] for step in trace.steps]
    assert shapes == [[(4, prompt, prompt)] * 4, *([(4, 1, prompt + index)] * 4 for index in range(1, len(shapes)))]


def test_prompt_and_text_share_the_context():
    run = Run.tiny()
    longest = ask("long ago " * 500, settings={"length": CONTEXT})
    assert run.room(run.prompt(longest)) == CONTEXT - run.longest_prompt - 1
    assert run.room(run.prompt(ask(settings={"length": 100}))) == 100
    first = next(iter(run.generate(longest)))
    assert any("At most 511 tokens can follow" in note["en"] for note in first.notes)
