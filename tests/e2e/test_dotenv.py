"""build.dotenv: env as a file, read by those who read such files."""

import json

import pytest

from bed import repositories

VALUES = {
    "PLAIN": "plain", "EMPTY": "", "URL": "https://host:1/p?q=1&r=2#part", "BLANKS": "  both ends  ",
    "HASH": "a # b", "DOLLAR": "$HOME ${PLAIN} $$", "QUOTES": 'say "x"', "APOSTROPHE": "it's # fine",
    "BOTH": "it's \"x\"", "BACKSLASH": r"C:\new\table", "ENDS_IN_ONE": "C:\\dir\\", "LINES": "one\ntwo\n\nfour",
    "JSON": '{"a": [1, "two"]}', "UNICODE": "grün 🌱", "EQUALS": "a=b=c",
}
READ = """
const fs = require('fs'), want = JSON.parse(fs.readFileSync('want.json'))
for (const name in want)
  if (got[name] !== want[name]) console.log(`WRONG ${name}: ${JSON.stringify(got[name])}`)
console.log('compared')
"""


def commands(bed, *lines, files, **changes):
    spec = bed.commands(*lines, "mkdir dist; echo x >dist/index.html", files=files, **changes)
    spec["build"]["dotenv"] = True
    return spec


def test_parsers_read_what_was_given(bed):
    files = {"want.json": json.dumps(VALUES), "node.js": "const got = process.env;" + READ,
             "package.js": "const got = require('dotenv').parse(require('fs').readFileSync('.env'));" + READ}
    clean = "env -i PATH=$PATH HOME=$HOME npm_config_cache=$HOME/.npm"
    ended = bed.run(commands(bed, f"{clean} npm install --no-save dotenv@16.4.7", "node package.js",
                             f"{clean} node --env-file=.env node.js", "stat -c '%a %u' .env",
                             "test $(stat -c %u .env) = $(id -u)", files=files, env=VALUES))
    assert ended.code == 0, ended
    assert ended.text.count("compared") == 2 and "WRONG" not in ended.text, ended


def test_a_vite_build_reads_the_file(bed):
    """The variable itself is taken away, so that only the file can tell."""
    spec = bed.spec(bed.repository(repositories.fixture("vite-react")), env={"VITE_GREETING": "It's \"good\" & <new>"},
                    build={"dotenv": True, "command": "env -u VITE_GREETING npm run build"})
    ended = bed.run(spec)
    assert ended.code == 0, ended
    tree = bed.published(spec)
    script = next(body.decode() for path, body in tree.items() if path.endswith(".js"))
    assert "good" in script and "<new>" in script and "Good morning" not in script
    assert not any(".env" in path for path in tree)


def test_the_repositorys_file_stays_above(bed):
    ended = bed.run(commands(bed, "cat .env", "ls -a", files={".env": "KEPT=1\nPORT=2"}, env={"PORT": "3"},
                             secrets={"HIDDEN": "s3cret-word-of-it"}))
    assert ended.code == 0, ended
    lines = [line.partition("| ")[2] for line in ended.text.splitlines() if "| " in line]
    at = lines.index("KEPT=1")
    assert lines[at:at + 2] == ["KEPT=1", "PORT=2"] and lines[at + 3] == "PORT=3", lines
    assert "HIDDEN" not in ended.text and ".tmp" not in ended.text


def test_the_file_lies_in_the_directory_of_the_source(bed):
    spec = commands(bed, "grep -x A=b .env", "test ! -e ../.env", files={"web/app/x": "x"}, env={"A": "b"})
    spec["source"]["directory"] = "web/app"
    assert bed.run(spec).code == 0


@pytest.mark.parametrize("link", ["/etc/passwd", "../../../../root/.profile", "elsewhere", "."])
def test_links_are_refused(bed, link):
    repository = bed.repository({"a": "x", ".env": repositories.Link(link)})
    spec = bed.spec(repository, env={"A": "b"}, build={"builder": "commands", "commands": ["true"], "dotenv": True})
    ended = bed.run(spec)
    assert ended.code == 23 and ended.result["reason"] == "dotenv-refused", ended


def test_a_value_that_no_quotes_hold_is_told(bed):
    ended = bed.run(commands(bed, "cat .env", files={"a": "x"}, env={"ODD": "it's \"`x`\"", "FINE": "y"}))
    assert ended.code == 0, ended
    assert any("ODD" in warning for warning in ended.result["warnings"]), ended
    assert "ODD=" not in ended.text and "FINE=y" in ended.text


def test_without_the_key_nothing_is_written(bed):
    assert bed.run(bed.commands("test ! -e .env && mkdir dist && echo x >dist/x", env={"A": "b"})).code == 0


def test_such_files_of_the_output_are_not_published(bed):
    spec = bed.commands("mkdir -p dist/a && echo A=1 >dist/.env && echo A=1 >dist/a/.env.production && echo x >dist/x",
                        "echo A=1 >dist/.envrc && echo y >dist/.environment")
    ended = bed.run(spec)
    assert ended.code == 0 and set(bed.published(spec)) == {"x", ".environment"}, ended
    assert any(".env" in warning and "not published" in warning for warning in ended.result["warnings"]), ended
