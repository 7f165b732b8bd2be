#!/usr/bin/env python3
"""Checks what was signed, with verify.py beside it and nothing but docs/log-format.md in mind.

    verify_checkpoint.py checkpoint FILE KEY [FOLDER]    a signed checkpoint, and that the log in
                                                         FOLDER is the one that it is of
    verify_checkpoint.py proof FILE [KEY [CHECKPOINT]]   a proof as `encours log prove` prints it,
                                                         of an event or of growth, in the signed
                                                         checkpoint that it comes with, or another

FOLDER is `log` in a data folder whose server has stopped; KEY is the text that `encours log
checkpoint --key` prints. Ends with 0 and a line that says what holds, or with 1 and one that says
what does not. Needs Python 3.8 and its standard library alone.
"""
import base64
import hashlib
import json
import struct
import sys

from verify import check, read_log, root, verify_proof


def b64(text):
    return base64.b64decode(text, validate=True)


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


# --- Growth: consistency proofs, as RFC 6962 has them ---

def grown(old, new, known, path, is_left):
    """The roots of the older and the newer tree; the older one is `known` on the left edge."""
    if old == new:
        check(len(path) == (0 if is_left else 1), "the path has another length")
        return (known, known) if is_left else (path[0], path[0])
    check(path, "the path is too short")
    half = 1 << (new - 1).bit_length() - 1
    if old <= half:
        older, newer = grown(old, half, known, path[:-1], is_left)
        return older, node(newer, path[-1])
    older, newer = grown(old - half, new - half, known, path[:-1], False)
    return node(path[-1], older), node(path[-1], newer)


def verify_growth(proof):
    old, new, path = proof["old_size"], proof["size"], [b64(text) for text in proof["path"]]
    roots = b64(proof["old_root"]), b64(proof["root"])
    check(0 < old <= new, "the sizes make no sense")
    found = grown(old, new, roots[0], path, True)
    check(found == roots, "the path leads to other roots")
    return f"the log of {new} events goes on from the one of {old}"


# --- Checkpoints: C2SP signed-note and tlog-checkpoint ---

def read_checkpoint(note, key):
    """What a checkpoint says that this key has signed."""
    name, key_id, typed = key.strip().split("+", 2)
    typed = b64(typed)
    check(typed[:1] == b"\1" and len(typed) == 33, "the key is no Ed25519 key")
    own_id = hashlib.sha256(name.encode() + b"\n" + typed).hexdigest()[:8]
    check(own_id == key_id, "the key's id is another")
    check("\n\n" in note and note.endswith("\n"), "the checkpoint is no signed note")
    text, lines = note.rsplit("\n\n", 1)
    text, signed = text + "\n", False
    for line in lines.splitlines():
        dash, who, signature = line.split(" ")
        signature = b64(signature)
        if dash == "\u2014" and who == name and signature[:4].hex() == key_id:
            matches = ed25519(typed[1:], text.encode(), signature[4:])
            check(matches, "the signature does not match")
            signed = True
    check(signed, "the checkpoint has no signature of this key")
    origin, size, top, frame, recorded = text.splitlines()[:5]
    check(origin == name and origin.startswith("encours/"), "the checkpoint is of another log")
    _, number, frame_hash = frame.split(" ")
    return {"log_id": origin[8:], "size": int(size), "root": b64(top), "frame": int(number),
            "hash": b64(frame_hash), "time": recorded[12:]}


def verify_checkpoint(file, key, folder=None):
    said = read_checkpoint(read_text(file), key)
    holds = f"checkpoint of log {said['log_id']} at {said['size']} events, {said['time']}"
    if folder is not None:
        log_id, leaves, hashes = read_log(folder)
        size, number = said["size"], said["frame"]
        check(log_id.hex() == said["log_id"], "the folder holds another log")
        check(size <= len(leaves), f"the log ends at position {len(leaves)}, {size} was signed")
        same = root(leaves[:size]) == said["root"]
        check(same, f"FAIL at size {size}: the log is not the one that was signed")
        same = number > 0 and hashes[number:number + 1] == [said["hash"]]
        check(same, f"FAIL at frame {number}: it is not the one that was signed")
        holds += ", and the log agrees with it"
    return holds


def verify_signed(file, key=None, checkpoint=None):
    proof = json.loads(read_text(file))
    if proof["format"] == "encours-consistency-1":
        holds = verify_growth(proof)
    else:
        holds = verify_proof(file)
    if key is not None:
        note = read_text(checkpoint) if checkpoint else proof.get("checkpoint")
        check(note, "the proof comes without a checkpoint: give one")
        said = read_checkpoint(note, key)
        ends = [(proof["size"], b64(proof["root"]))]
        if "old_size" in proof:
            ends.append((proof["old_size"], b64(proof["old_root"])))
        check(said["log_id"] == proof["log_id"], "the checkpoint is of another log")
        check((said["size"], said["root"]) in ends, "the checkpoint is of another tree")
        holds += f", as signed at {said['size']} events"
    return holds


def read_text(path):
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


# --- Ed25519, verification only: RFC 8032, section 6 ---

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(a, b):
    (x1, y1, z1, t1), (x2, y2, z2, t2) = a, b
    e, f = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    g, h = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(n, point):
    total = (0, 1, 1, 0)
    while n:
        total = add(total, point) if n & 1 else total
        point, n = add(point, point), n >> 1
    return total


def decode(encoded):
    """The point that 32 bytes stand for."""
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    check(y < P and (x * x - square) % P == 0 and (x or not sign), "the signature is no point")
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def ed25519(public, message, signature):
    check(len(signature) == 64, "the signature has another length")
    s = int.from_bytes(signature[32:], "little")
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    h = int.from_bytes(digest, "little") % L
    base = decode((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
    a, b = times(s, base), add(decode(signature[:32]), times(h, decode(public)))
    return s < L and (a[0] * b[2] - b[0] * a[2]) % P == 0 == (a[1] * b[2] - b[1] * a[2]) % P


def main(arguments):
    verbs = {"checkpoint": verify_checkpoint, "proof": verify_signed}
    if len(arguments) < 2 or arguments[0] not in verbs:
        sys.exit(__doc__)
    try:
        print("OK:", verbs[arguments[0]](*arguments[1:]))
    except (AttributeError, LookupError, OSError, TypeError, ValueError, struct.error) as error:
        sys.exit(f"WRONG: malformed: {error!r}")


if __name__ == "__main__":
    main(sys.argv[1:])
