"""Draws what a command prints to a terminal as an SVG: standard input to standard output.

    CLICOLOR_FORCE=1 encours demo | python3 docs/picture.py "encours demo" > docs/demo.svg

Every run of one style stands at its own place with its own length, so that columns stay aligned
whatever monospace font the reader has; bars and rules are drawn as shapes. The panel brings its
own dark ground: it reads the same on a light and on a dark page.
"""

import re
import sys
from html import escape

CELL, LINE, SIZE = 8.4, 19, 14
LEFT, TOP = 18, 52
GROUND, INK = "#0d1117", "#e6edf3"
COLOURS = {31: "#ff7b72", 32: "#56d364", 33: "#e3b341", 36: "#79c0ff"}
DIM = "#9da7b3"
# Blocks that grow by eighths of a cell.
BLOCKS = {c: (8 - at) / 8 for at, c in enumerate("█▉▊▋▌▍▎▏")}
PIECE = re.compile(r"\x1b\[([0-9;]*)m|([█▉▊▋▌▍▎▏]+|░+|─+|[^\x1b█▉▊▋▌▍▎▏░─]+)")


def styled(state, codes):
    """The colour and weight after the codes of an escape sequence."""
    colour, bold = state
    for code in (int(code or 0) for code in codes.split(";")):
        if code == 0:
            colour, bold = INK, False
        elif code == 1:
            bold = True
        elif code == 2:
            colour = DIM
        elif code in COLOURS:
            colour = COLOURS[code]
    return colour, bold


def shape(piece, x, y, colour):
    """A bar or a rule."""
    top, height, opacity = y - SIZE + 1, LINE - 4, 1
    width = sum(BLOCKS.get(c, 1) for c in piece) * CELL
    if piece[0] == "░":
        opacity = 0.45
    if piece[0] == "─":
        top, height = y - 5, 1
    return (
        f'<rect x="{x:.1f}" y="{top}" width="{width:.1f}" height="{height}" '
        f'fill="{colour}" opacity="{opacity}"/>'
    )


def words(text, x, y, colour, bold):
    """A run of text, without the spaces around it; each gap of two or more spaces starts another."""
    for part in re.finditer(r"\S+(?: \S+)*", text):
        start, run = x + part.start() * CELL, part.group()
        weight = ' font-weight="bold"' if bold else ""
        yield (
            f'<text x="{start:.1f}" y="{y}" textLength="{len(run) * CELL:.1f}" '
            f'lengthAdjust="spacingAndGlyphs" fill="{colour}"{weight}>{escape(run)}</text>'
        )


def drawn(lines):
    """The shapes and texts of all lines."""
    state = INK, False
    for number, line in enumerate(lines):
        column, y = 0, TOP + number * LINE
        for codes, piece in PIECE.findall(line):
            if not piece:
                state = styled(state, codes)
                continue
            x = LEFT + column * CELL
            if piece[0] in BLOCKS or piece[0] in "░─":
                yield shape(piece, x, y, state[0])
            else:
                yield from words(piece, x, y, *state)
            column += len(piece)


def main():
    lines = sys.stdin.read().strip("\n").split("\n")
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    lines.insert(0, f"\x1b[2m$\x1b[0m {command}")
    widest = max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in lines)
    width, height = round(2 * LEFT + widest * CELL), TOP + len(lines) * LINE
    dots = "".join(
        f'<circle cx="{22 + 20 * at}" cy="20" r="6" fill="{colour}"/>'
        for at, colour in enumerate(["#ff5f57", "#febc2e", "#28c840"])
    )
    sys.stdout.write(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" font-size="{SIZE}" '
        'font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,DejaVu Sans Mono,monospace">\n'
        f"<title>{escape(command)}</title>\n"
        f'<rect width="{width}" height="{height}" rx="10" fill="{GROUND}"/>\n{dots}\n'
        + "\n".join(drawn(lines))
        + "\n</svg>\n"
    )


if __name__ == "__main__":
    main()
