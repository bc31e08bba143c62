"""SQL without its comments: what a comment names is neither read nor written."""

import re

# What can hold two dashes or the beginning of a comment without one, each to its end: strings with backslashes,
# strings, names, text between dollar signs; and comments.
TOKEN = re.compile(
    r"""(?P<escaped>(?<!\w)[eE]'(?:[^'\\]|\\.|'')*')"""
    r"""|(?P<string>'(?:[^']|'')*')|(?P<name>"(?:[^"]|"")*")"""
    r"""|(?P<dollar>(?<!\w)\$(?P<tag>[^\W\d]\w*)?\$(?P<body>.*?)\$(?(tag)(?P=tag))\$)"""
    r"""|(?P<line>--[^\r\n]*)|(?P<block>/\*)""",
    re.DOTALL,
)
EDGE = re.compile(r"/\*|\*/")
# What stands between dollar signs after these words is a body of statements, and has comments of its own.
CODE = re.compile(r"\b(do|as|language\s+\w+)\s*$", re.IGNORECASE)


def without_comments(sql: str) -> str:
    """SQL text with a blank in the place of each comment; strings, names and bodies of functions stay as they are."""
    kept = [""]
    place = 0
    while found := TOKEN.search(sql, place):
        kept.append(sql[place : found.start()])
        place = found.end()
        if found["block"]:
            place = end_of_block(sql, place)
        if found["block"] or found["line"]:
            kept.append(" ")
        elif found["dollar"] and CODE.search("".join(kept[-2:])):
            quote = "$%s$" % (found["tag"] or "")
            kept.append(quote + without_comments(found["body"]) + quote)
        else:
            kept.append(found[0])
    return "".join(kept) + sql[place:]


def end_of_block(sql: str, place: int) -> int:
    """Where a comment ends that began before a place: those within it end first."""
    depth = 1
    while depth and (edge := EDGE.search(sql, place)):
        depth += 1 if edge[0] == "/*" else -1
        place = edge.end()
    return len(sql) if depth else place
