#!/usr/bin/env python3
"""Prints redact.txt: secrets as other programs' encoders print them, and what must be left of the text. A line is
VALUE TEXT EXPECTED NAME, the first three in hex."""
import base64
import json
import shlex
import urllib.parse

VALUES = {
    "plain": b"s3cr3t-tokens",
    "eight": b"abcdEFG8",
    "punctuation": b"p@ss word/!x'(y)*~\"\\$`&<>=+?#%",
    "unicode": "gr\u00fc\u00dfe\U0001F511/ok \u2028".encode(),
    "binary": bytes([0xfb, 0xff, 0xbf, 0xfb, 0xff, 0xbf, 0x00, 0x01, 0x7f, 0x80]),
    "long": b"github_pat_11ABCDEFG0aaaaaaaaaaaa_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
    "controls": b"a\"b\\c\td\x1be\x08f\x0cg",
}
MARK = b"***"


def emit(name, value, text, expected=MARK):
    print(value.hex(), (b"<" + text + b">").hex(), (b"<" + expected + b">").hex(), name)


def base64_vectors(name, value):
    """Before and after the value stand other bytes: digits that they have a part in stay."""
    for label, encode in ("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode):
        for offset in range(3):
            for tail in b"", b"\n", b"~ and more", b"\xff":
                whole = encode(b"#" * (3 + offset) + value + tail)
                first = ((3 + offset) * 8 + 5) // 6
                if tail in (b"", b"\n"):
                    last = len(whole.rstrip(b"="))
                else:
                    last = (3 + offset + len(value)) * 8 // 6
                emit(f"{name} {label} {offset} {len(tail)}", value, whole, whole[:first] + MARK + whole[last:])
    for width in 64, 76:
        for end in b"\n", b"\r\n":
            whole = base64.b64encode(value)
            lines = end.join(whole[i:i + width] for i in range(0, len(whole), width))
            emit(f"{name} base64 in lines of {width}", value, lines, MARK + whole[len(whole.rstrip(b'=')):])


def text_vectors(name, value, text):
    for plus in False, True:
        for safe in "", "/", "!'()*", "!'()*;,/?:@&=+$#":
            quoted = (urllib.parse.quote_plus if plus else urllib.parse.quote)(value, safe=safe)
            emit(f"{name} percent {safe} {plus}", value, quoted.encode())
    if text is None:
        return
    for ascii_only in False, True:
        for slash in False, True:
            said = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
            if slash:
                said = said.replace("/", "\\/")
            emit(f"{name} json {ascii_only} {slash}", value, said.encode())
            for c in "<>&":
                said = said.replace(c, f"\\u{ord(c):04x}")
            emit(f"{name} json html {ascii_only} {slash}", value, said.encode())
    emit(f"{name} python's quoting", value, shlex.quote(text).encode(),
         MARK if shlex.quote(text) == text else b"'" + MARK + b"'")
    emit(f"{name} '...'", value, text.replace("'", "'\\''").encode())
    emit(f"{name} \"...\"", value, "".join("\\" + c if c in "\\\"$`" else c for c in text).encode())


def main():
    for name, value in VALUES.items():
        emit(f"{name} raw", value, value)
        emit(f"{name} hex", value, value.hex().encode())
        emit(f"{name} HEX", value, value.hex().upper().encode())
        base64_vectors(name, value)
        try:
            text = value.decode()
        except UnicodeDecodeError:
            text = None
        text_vectors(name, value, text)
    # bash's printf %q
    emit("bash", VALUES["punctuation"], rb"""p@ss\ word/\!x\'\(y\)\*~\"\\\$\`\&\<\>=+\?#%""")
    emit("bash, controls", VALUES["controls"], rb"""a"b\\c\td\Ee\bf\fg""")
    emit("bash, octal", "gr\u00fc\u00dfe\tx".encode(), rb"""gr\303\274\303\237e\tx""")


main()
