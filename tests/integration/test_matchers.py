"""Matchers held against Alertmanager's own reading of them: Debian's amtool, which has the classic syntax.

What the classic syntax takes, counts (docs/rules.md); so each text that amtool takes must be taken as the same, and
each that it refuses may at most be one of the UTF-8 syntax. The cases of that are in tests/unit/test_matcher_grammar.c.
"""
import json
import os
import random
import re
import subprocess
from pathlib import Path

BUILD = Path(os.environ.get("RUNBOOKD_BUILDDIR", ".")).resolve()
PIECES = ["foo", "a", "é", "_x1", ":", "=", "=", "=", "!=", "=~", "!~", '"', '"', "\\", '\\"', "\\n", "\\\\", "n", ",", ", ", "{", "}",
          " ", "\t", "\n", "~", "!", "[a-z]+", "x|y", "'", "`", "-", "🙂", "/"]
GOOD = ['{foo="bar"}', 'foo=bar,dings!=bums', '{foo = "a,b", x !~ "y|z", }', 'quote="She said: \\"Hi\\""', "job=", "tricky=~~~",
        'trickier==\\\\=\\=\\"', "{foo=bar}},}", "a=b c, d=e"]
COUNT = 800


def generate():
    """Texts of pieces, and good ones with a piece put in, taken out, or turned round; the same ones each time."""
    rng = random.Random(20)
    texts = set(GOOD)
    while len(texts) < COUNT:
        if rng.random() < 0.4:
            text = "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 9)))
        else:
            text = rng.choice(GOOD)
            for _ in range(rng.randint(1, 3)):
                at = rng.randint(0, len(text))
                text = text[:at] + rng.choice(PIECES + [""]) + text[at + rng.randint(0, 1):]
        texts.add(text)
    # Blanks round the whole, and what a backslash means in a regex here and there, are differences that docs/rules.md names.
    return sorted(t for t in texts if t == t.strip() and not re.search(r"\\([^\x00-\x7f]|x)", t))


def in_order(shown):
    """The matchers of "{…}", sorted: amtool sorts them, by rules of its own."""
    return sorted(re.findall(r'[^=!,{]+(?:=~|!=|!~|=)"(?:[^"\\]|\\.)*"', shown))


def ours(texts):
    done = subprocess.run([BUILD / "tests" / "unit" / "print_matchers"], input="".join(t + "\0" for t in texts), capture_output=True,
                          text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == len(texts)
    return [line.split(" ", 1) for line in lines]


def config(texts):
    """A routing tree with a route for each text. JSON is YAML."""
    routes = [{"receiver": f"r{i}", "matchers": [t]} for i, t in enumerate(texts)]
    return json.dumps({"route": {"receiver": "top", "routes": routes},
                       "receivers": [{"name": n} for n in ["top"] + [r["receiver"] for r in routes]]}, ensure_ascii=False)


def amtools(texts, folder):
    """What amtool makes of each text: "{…}", or None where it refuses it."""
    files = []
    for i, text in enumerate(texts):
        files.append(Path(folder) / f"{i}.yml")
        files[-1].write_text(config([text]))
    done = subprocess.run(["amtool", "check-config", *files], capture_output=True, text=True)
    said = re.findall(r"^Checking '(.*)'  (SUCCESS|FAILED)", done.stdout, re.M)
    assert [name for name, _ in said] == [str(f) for f in files], done.stderr
    good = [t for t, (_, word) in zip(texts, said) if word == "SUCCESS"]
    whole = Path(folder) / "whole.yml"
    whole.write_text(config(good))
    shown = subprocess.run(["amtool", "config", "routes", "show", f"--config.file={whole}"], capture_output=True, text=True, check=True)
    trees = re.findall(r"^ +[├└]── (.*)  receiver: r\d+$", shown.stdout, re.M)
    assert len(trees) == len(good)
    return {**dict.fromkeys(texts), **dict(zip(good, trees))}


def test_classic_texts_are_read_as_amtool_reads_them(folder):
    texts = generate()
    theirs = amtools(texts, folder)
    taken = 0
    for text, (syntax, *what) in zip(texts, ours(texts)):
        want = theirs[text]
        if want is None:
            assert syntax != "classic", f"amtool refuses {text!r}, taken as {what}"
        elif not in_order(want):
            assert syntax == "refused" or text == "{}", f"a text without a matcher is taken: {text!r}"
        else:
            assert syntax == "classic", f"amtool takes {text!r}"
            assert in_order(what[0]) == in_order(want), f"{text!r}"
            taken += 1
    assert taken > 100 and taken < len(texts) - 100, "the texts say too little"
