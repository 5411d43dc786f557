"""Answers as models write them: what every channel must show whole. Name → Markdown."""
# ruff: noqa: E501, RUF001 - lines and signs are as models write them

GOLDEN: dict[str, str] = {}


def _add(family, *texts):
    for number, text in enumerate(texts, start=1):
        GOLDEN[f"{family}-{number:02d}"] = text


_add(
    "plain",
    "Yes.",
    "Your laptop is 38 months old, so you can order a new one today.",
    "I could not find this in our documents. Shall I ask the service desk?",
    "Two things:\n\nFirst, your password expired.\n\nSecond, your phone is not enrolled.",
    "The VPN client is called *Alder Connect*. Install it from **Software Center**, then sign in with your e-mail address.",
    "Use ~~AnyConnect~~ **Alder Connect** instead.",
    "Line one\nline two\nline three",
    "Line one  \nhard break\\\nand another",
    "A very\u00a0narrow\u00a0space, an em—dash, “quotes”, it’s an apostrophe … and a soft\u00adhyphen.",
    "1 < 2 && 3 > 2, R&D, AT&T, &amp; &lt;b&gt; &copy; &#8364;",
    "Escapes: \\*not bold\\*, \\_not italic\\_, \\`not code\\`, \\# not a heading, \\[not a link\\](x)",
    "snake_case_names, 2*3*4, file_name_here.txt and __init__.py stay as they are.",
)
_add(
    "headings",
    "# Get VPN access\n\nAsk your manager first.\n\n## Steps\n\n1. Open the portal\n2. Choose *VPN*\n\n### Notes\n\nIt takes a day.",
    "# **Bold** title with `code`\n\ntext",
    "## A headline with a [link](https://example.org/a) in it\n\ntext",
    "# " + "A headline far longer than a header block may be, " * 5 + "\n\ntext",
    "Title\n=====\n\nSubtitle\n--------\n\ntext",
    "# One\n# Two\n# Three",
    "#Not a heading\n\n####### Not one either",
    "# \n\nAn empty headline stands above.",
    "###### Six levels down\n\n##### Five",
    "# 🚀 Launch\n\n## 日本語の見出し\n\n## Größenänderung",
)
_add(
    "lists",
    "- one\n- two\n- three",
    "* a\n  * b\n    * c\n      * d\n        * e\n          * f\n            * g\n              * h\n                * i\n                  * j",
    "1. first\n2. second\n3. third",
    "7. seven\n8. eight\n9. nine",
    "1. one\n   - a\n   - b\n2. two\n   1. x\n   2. y\n3. three",
    "- para one\n\n  para two of the same entry\n\n- next entry",
    "1. Run this:\n\n   ```sh\n   sudo alder-connect --reset\n   ```\n\n2. Then reboot.\n3. Sign in again.",
    "- entry with a quote\n  > said so\n- and a table\n\n  | a | b |\n  |---|---|\n  | 1 | 2 |\n- end",
    "- [ ] Back up your files\n- [x] Request approval\n- [ ] Book an appointment",
    "- \n- empty above\n-\n- empty above again",
    "- " + "long entry " * 400,
    "\n".join(f"- entry {n} of a list that is long" for n in range(400)),
    "\n".join(f"{n}. step {n}" for n in range(1, 121)),
    "- a\n\n\n- b\n1. c\n* d\n+ e",
    "Before\n- no blank line above\n- second\nlazy continuation\n\nAfter",
    "1) one\n2) two",
    "- **Bold start:** then text\n- *Italic start:* then text\n- `code start` then text\n- [link start](https://example.org) then text",
    "0. zero\n1. one",
    "- # A headline in a list\n- text",
    "- ---\n- after a rule",
)
_add(
    "tables",
    "| Model | Weight | Price |\n|---|---:|:-:|\n| Alder 13 | 1.1 kg | € 1,299 |\n| Alder 15 | 1.6 kg | € 1,599 |",
    "Two tables:\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nand\n\n| c | d |\n|---|---|\n| 3 | 4 |",
    "| **bold** | *it* | `code` | [link](https://example.org) | ~~no~~ |\n|---|---|---|---|---|\n| **1** | *2* | `3` | [4](https://example.org/4) | ~~5~~ |",
    "| a | b | c |\n|---|---|---|\n| 1 |\n| 1 | 2 | 3 | 4 |\n| | | |",
    "| only a head |\n|---|",
    "| a \\| pipe | b |\n|---|---|\n| `x \\| y` | z |",
    "|"
    + "|".join(f" c{n} " for n in range(20))
    + "|\n|"
    + "---|" * 20
    + "\n|"
    + "|".join(f" {n} " for n in range(20))
    + "|",
    "|"
    + "|".join(f" c{n} " for n in range(25))
    + "|\n|"
    + "---|" * 25
    + "\n|"
    + "|".join(f" v{n} " for n in range(25))
    + "|",
    "| n | square |\n|---|---|\n" + "\n".join(f"| {n} | {n * n} |" for n in range(99)),
    "| n | square |\n|---|---|\n" + "\n".join(f"| {n} | {n * n} |" for n in range(350)),
    "| key | text |\n|---|---|\n" + "\n".join(f"| {n} | {'some words ' * 30} |" for n in range(60)),
    "| key | text |\n|---|---|\n| 1 | " + "an endless cell " * 200 + " |\n| 2 | short |",
    "| 名前 | 値 |\n|---|---|\n| 東京 | 一 |\n| Köln | zwei |",
    "a | b\n--|--\n1 | 2",
    "| a | b |\n| 1 | 2 |\n\nThat was no table: its rule is missing.",
    "| <!channel> | <@U1> |\n|---|---|\n| @here | & < > |",
    "\n\n".join("| a | b |\n|---|---|\n| 1 | 2 |" for _ in range(55)),
    "> | quoted | table |\n> |---|---|\n> | 1 | 2 |",
    "| 🙂 | 👩‍👩‍👧‍👦 |\n|---|---|\n| 🇩🇪 | 🏳️‍🌈 |",
    "| a |\n|:-:|\n| https://example.org/path?x=1&y=2 |",
)
_add(
    "code",
    "Run `ipconfig /flushdns`.",
    "```\nplain\n```",
    "```python\ndef f(x):\n    return x ** 2  # **not bold** <@U1> & <b>\n```",
    "    indented code\n    second line",
    "~~~sh\nls -l | grep '^d'\n~~~",
    "````md\n```\nnested fence\n```\n````",
    "```\n" + "0123456789" * 1000 + "\n```",
    "```\n" + "\n".join(f"line {n}: {'x' * 60}" for n in range(300)) + "\n```",
    "``code with ` a tick`` and ` spaced ` and ```x```",
    "```\nunclosed fence\nstill code",
    'Text\n```json\n{"a": [1, 2, {"b": null}]}\n```\nmore text right after',
    "```\n\n\n```\n\nAn empty block stands above.",
    "`<!channel>` and `@here` in code",
    "```diff\n- old\n+ new\n```",
    "| cmd | does |\n|---|---|\n| `a && b` | both |",
    "```\ntab\tseparated\tvalues\n```",
)
_add(
    "quotes",
    "> one line",
    "> two\n> lines",
    "> para\n>\n> para",
    "> > nested\n>\n> outer",
    "> - list\n> - in quote\n>\n> ```\n> code in quote\n> ```",
    "> lazy\ncontinuation",
    "> " + "a long quote " * 500,
    "> # Headline\n> text",
)
_add(
    "links",
    "See [the policy](https://example.org/policy?id=1&v=2#top).",
    "https://example.org, (https://example.org/a_(b)) and <https://example.org/c>.",
    "[x](javascript:alert(1)) [y](/relative) [z](data:text/html,x) [w](mailto:help@example.org)",
    "[**bold** _label_ `code`](https://example.org)",
    "![diagram](https://example.org/d.png) and ![](https://example.org/e.png)",
    '[ref][1] and [again][1]\n\n[1]: https://example.org "Title"',
    "[](https://example.org/empty) label missing",
    "[label with | pipe > and < signs](https://example.org/a|b)",
    "https://example.org/" + "x" * 3500,
    "[long](https://example.org/" + "y" * 3500 + ")",
    "Write to help@example.org or call +49 30 1234567.",
    "[broken](https://example.org",
    "[two\nlines](https://example.org)",
    "https://例え.テスト/パス and https://example.org/ä?q=ö",
)
_add(
    "mentions",
    "<!channel> please read", "<!here> now", "<!everyone>", "<!subteam^S012AB3CD>", "<@U012AB3CD>", "<#C012AB3CD>",
    "<!channel|channel>", "<@U012AB3CD|ann>", "@here @channel @everyone @Channel @HERE", "**<!here>** _<@U1>_ ~~<!channel>~~",
    "[<!channel>](https://example.org)", "[x](https://example.org/|<!here>)", "&lt;!channel&gt;", "<<!channel>>",
    "\\<!channel>", "> <!here>", "- <!here>\n- @everyone", "# <!channel>\n\n## @here",
    "| <!here> |\n|---|\n| @channel |", "<!date^1392734382^{date}|x>", "email@here.example, not a mention",
)  # fmt: skip
_add(
    "emoji",
    "Done ✅ 🎉", "👩‍👩‍👧‍👦 family, 👍🏽 skin, 🇩🇪 flag, 🏳️‍🌈 rainbow, ❤️ heart, 1️⃣ keycap", "🙂" * 3000, ":tada: :+1: :not_an_emoji:",
    "- ✅ done\n- ❌ not done\n- ⚠️ careful", "# 🔥\n\n**🔥**", "e\u0301 n\u0303 a\u0308 combining", "𝒳𝒴𝒵 𐍈 𠜎 beyond the first plane",
    "👩‍💻 " * 2500,
)  # fmt: skip
_add(
    "rtl",
    "مرحبا بك. يمكنك طلب حاسوب جديد اليوم.",
    "# إعادة تعيين كلمة المرور\n\n1. افتح البوابة\n2. اختر **نسيت كلمة المرور**\n3. اتبع التعليمات",
    "שלום, אפשר להזמין מחשב חדש.\n\n- ראשון\n- שני\n  - עמוק",
    "English then العربية then `code` then עברית 123.",
    "| الاسم | القيمة |\n|---|---|\n| سرعة | ١٠٠ |",
    "> اقتباس طويل " + "كلمة " * 300,
    "\u202eright to left override\u202c and \u200fmark",
    "سلام! [پیوند](https://example.org) و `کد`",
    "مرحبا <!channel> يا @here",
    "אבג " * 4000,
)
_add(
    "broken",
    "**unclosed bold", "*unclosed _nested `tick", "[unclosed](https://example.org and **more", "``` not a fence in a line ``` text",
    "~~unclosed", "# Title\n```\nunclosed", "| a | b\n|---|---\n| 1 | 2", "|||\n|-|-|\n|||", "<b>html</b> <script>alert(1)</script> <br>",
    "<div>\n\n**bold in html**\n\n</div>", "<!-- comment --> shown", "- a\n - b\n  - c\n   - d", "1. a\n3. c\n2. b", "***", "**__**", "____",
    "* * *\n- - -\n___", "\\", "&#0; &#xD800; &bogus;", "a\u2028b\u2029c", "\ufefftext with a mark", "\t- tab\n\t\t- tabs",
    "[a]: https://example.org\n\nonly a definition above", "*a **b* c**", "``", "> \n> \n", "-\n-\n-", "| |\n|-|\n| |",
    "<think>hidden thoughts</think>\n\nThe answer is 4.", "</s>[INST] leaked [/INST]", "Answer:\n\n\n\n\n\n\nfar below",
    "x" * 9000, "&" * 5000, "<" * 5000, "`" * 500, "*" * 500, "[" * 500, "(((((" * 400, "> " * 60 + "deep",
)  # fmt: skip

_PARAGRAPH = (
    "To reset your **multi-factor** sign-in, open [the portal](https://example.org/mfa), choose *Security*, and enrol your "
    "new phone. Your old one stops working at once; keep its recovery codes until then. "
)
_SECTION = (
    "## Part {n}: what to do\n\n"
    + _PARAGRAPH * 3
    + "\n\n1. Open **Settings**\n2. Choose `Network {n}`\n   - and *wait*\n\n"
    "| step | who |\n|---|---|\n| {n} | you |\n| {n}.5 | the desk |\n\n```sh\nalder-connect --step {n}\n```\n\n> Keep calm.\n\n"
)
_add(
    "long",
    "".join(_SECTION.format(n=n) for n in range(1, 51))[:45_000],
    "word " * 9000,
    "\n\n".join([_PARAGRAPH] * 160)[:45_000],
    "- " + "\n- ".join(["an entry of a very long list, with **bold** words"] * 850),
    "```\n" + "\n".join(f"{n:06d} log line with & and <tags>" for n in range(1100)) + "\n```",
    "| n | text |\n|---|---|\n" + "\n".join(f"| {n} | words in row {n} |" for n in range(1500)),
    "&<>" * 15_000,
    "語" * 20_000,
    "# A\n\n" * 2000,
    "p\n\n" * 4000,
    "> quote\n\n---\n\n" * 900,
    "https://example.org/a/path?q=1 " * 1400,
)
