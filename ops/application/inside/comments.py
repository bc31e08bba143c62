"""Remove comments from SQL, since names in comments are neither read nor written."""

import re

# Tokens that may contain the characters of a comment: strings with backslashes, strings, quoted names, dollar-quoted
# text. And comments.
TOKEN = re.compile(
    r"""(?P<escaped>(?<!\w)[eE]'(?:[^'\\]|\\.|'')*')"""
    r"""|(?P<string>'(?:[^']|'')*')|(?P<name>"(?:[^"]|"")*")"""
    r"""|(?P<dollar>(?<!\w)\$(?P<tag>[^\W\d]\w*)?\$(?P<body>.*?)\$(?(tag)(?P=tag))\$)"""
    r"""|(?P<line>--[^\r\n]*)|(?P<block>/\*)""",
    re.DOTALL,
)
EDGE = re.compile(r"/\*|\*/")
# Dollar-quoted text after these words is a body of statements, which may contain comments.
CODE = re.compile(r"\b(do|as|language\s+\w+)\s*$", re.IGNORECASE)


def without_comments(sql: str) -> str:
    """Replace each comment in SQL by a blank; strings and names are unchanged."""
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
    """Return the end of the comment that contains a position; comments may be nested."""
    depth = 1
    while depth and (edge := EDGE.search(sql, place)):
        depth += 1 if edge[0] == "/*" else -1
        place = edge.end()
    return len(sql) if depth else place
