#!/usr/bin/env python3
"""Checks an Encours log, proofs and checkpoints, knowing nothing but docs/log-format.md.

    verify.py log FOLDER                      the files of a log: frames, chain, events; prints its root
    verify.py checkpoint FILE KEY [FOLDER]    a signed checkpoint, and that the log is the one it is of
    verify.py proof FILE [KEY [CHECKPOINT]]   a proof as `encours log prove` prints it, in the signed
                                              checkpoint that it comes with or another one

FOLDER is `log` in a data folder whose server has stopped; KEY is the text that `encours log checkpoint
--key` prints. Ends with 0 and a line that says what holds, or with 1 and a line that says what does not.
Needs Python 3.8 and its standard library alone; some MiB of log take a minute.
"""
import base64, hashlib, json, os, struct, sys

FRAME, HEADER = struct.Struct("<4sHH16sQQQqIIII32s32sII"), 144
SEGMENT = ANCHOR = struct.Struct("<4sHH16sQQQ32s")
sha256 = lambda *parts: hashlib.sha256(b"".join(parts)).digest()
b64 = lambda text: base64.b64decode(text, validate=True)
TABLE = [0] * 256
for n in range(256):
    c = n
    for _ in range(8):
        c = c >> 1 ^ (0x82F63B78 if c & 1 else 0)
    TABLE[n] = c

class Wrong(Exception):
    pass

def check(holds, what):
    if not holds:
        raise Wrong(what)

def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF

# --- Frames ---

def read_log(folder):
    """The log id, the hash of each leaf, and of each frame its number, hash and last position."""
    is_segment = lambda name: name.endswith(".seg") and len(name) == 24 and name[:20].isdigit()
    names = sorted(filter(is_segment, os.listdir(folder)))
    check(names, f"{folder}: no segment")
    log_id, leaves, frames, previous, epoch, recorded = None, [], [], None, 0, 0
    for at, name in enumerate(names):
        data = open(os.path.join(folder, name), "rb").read()
        magic, _, reader, this, first, position, length, before = SEGMENT.unpack_from(data)
        if log_id is None:
            log_id, previous = this, sha256(b"encours log genesis 1\n", this)
        header = (magic, reader, this, first, position, before, data[80:508])
        wanted = (b"ENCS", 1, log_id, len(frames) + 1, len(leaves) + 1, previous, bytes(428))
        check(header == wanted and int(name[:20]) == first, f"{name}: its header belongs elsewhere")
        check(sealed(data[:512]), f"{name}: header checksum")
        check(len(data) == length, f"{name}: {len(data)} bytes, its header says {length}")
        offset = 512
        while any(data[offset:offset + HEADER]):
            where = f"{name} byte {offset}, frame {len(frames) + 1}, position {len(leaves) + 1}"
            check(offset + HEADER <= length, f"{where}: it is cut")
            (magic, _, reader, this, writer, number, position, time, events, commands, size, zero1,
             before, digest, zero2, crc) = FRAME.unpack_from(data, offset)
            check(magic == b"ENCF", f"{where}: no frame begins here")
            header = data[offset:offset + HEADER]
            check(crc32c(header[:140]) == crc, f"{where}: header checksum")
            check(reader == 1, f"{where}: it asks for a reader of format {reader}")
            check(this == log_id and zero1 == zero2 == 0, f"{where}: header of another log")
            check(number == len(frames) + 1, f"{where}: it is frame {number}")
            check(position == len(leaves) + 1, f"{where}: it begins at position {position}")
            check(before == previous, f"{where}: it follows another frame")
            check(writer >= epoch and time >= recorded, f"{where}: epoch or time goes back")
            body = data[offset + HEADER:offset + HEADER + size]
            check(len(body) == size and sha256(body) == digest, f"{where}: body hash")
            leaves += body_leaves(body, commands, events, position, time, where)
            epoch, recorded, previous = writer, time, sha256(header)
            frames.append((number, previous, len(leaves)))
            end = offset + HEADER + size
            offset = (end + 511) // 512 * 512
            check(not any(data[end:offset]), f"{where}: what pads it is not zero")
        # A crash may leave an unfinished frame at the very end; a stopped server leaves none.
        check(not any(data[offset:]), f"{name}: bytes after the last frame are not zero")
    number, anchored = read_anchor(folder, log_id)
    reached = number <= len(frames) and (number == 0 or frames[number - 1][1] == anchored)
    check(reached, f"the log does not reach frame {number}, which its anchor has seen")
    return log_id, leaves, frames

def sealed(block):
    """Whether a block of 512 bytes has the checksum that its end says."""
    return len(block) == 512 and crc32c(block[:508]) == struct.unpack_from("<I", block, 508)[0]

def read_anchor(folder, log_id):
    """The number and hash of the frame that the anchor names."""
    data = open(os.path.join(folder, "anchor"), "rb").read()
    slots = [slot for slot in (data[:512], data[512:1024]) if sealed(slot)]
    slots = [slot for slot in map(ANCHOR.unpack_from, slots) if slot[:4] == (b"ENCA", 1, 1, log_id)]
    check(slots, "anchor: no slot is intact")
    *_, number, _, anchored = max(slots, key=lambda slot: slot[4])
    return number, anchored

def body_leaves(body, commands, events, position, time, where):
    """The hash of each event's leaf."""
    at, actors, leaves = 0, [], []
    for _ in range(commands):
        ids, actor, reason, _, count = struct.unpack_from("<HHHHI", body, at)
        name = body[at + 56 + ids:at + 56 + ids + actor]
        actors += [name] * count
        at += 56 + ids + actor + reason
    check(len(actors) == events, f"{where}: counts do not agree")
    for n, actor in enumerate(actors):
        length, crc = struct.unpack_from("<II", body, at + 4)
        record = body[at:at + 12 + length]
        check(crc32c(record[:8] + record[12:]) == crc, f"{where}: event at {position + n}")
        leaves.append(leaf_hash(position + n, time, actor, record))
        at += 12 + length
    check(at == len(body), f"{where}: bytes after the last event")
    return leaves

# --- The tree, as RFC 6962 has it ---

def leaf_hash(position, time, actor, record):
    return sha256(b"\0", struct.pack("<QqH", position, time, len(actor)), actor, record)

def root(leaves):
    level = leaves or [sha256()]
    while len(level) > 1:
        level = [sha256(b"\1", *level[i:i + 2]) if i + 1 < len(level) else level[i]
                 for i in range(0, len(level), 2)]
    return level[0]

def walk(node, last, old, new, path):
    """Follows a path up the tree; `old` grows on its left edge, `new` everywhere."""
    for step in path:
        check(last > 0, "the path is too long")
        if node & 1 or node == last:
            old, new = sha256(b"\1", step, old), sha256(b"\1", step, new)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            new = sha256(b"\1", new, step)
        node, last = node >> 1, last >> 1
    check(last == 0, "the path is too short")
    return old, new

def verify_inclusion(proof):
    index, size = proof["position"] - 1, proof["size"]
    check(0 <= index < size, "the position is not in the tree")
    actor, record = proof["actor"].encode(), b64(proof["record"])
    leaf = leaf_hash(proof["position"], proof["recorded_at_us"], actor, record)
    _, found = walk(index, size - 1, leaf, leaf, [b64(h) for h in proof["path"]])
    check(found == b64(proof["root"]), "the path leads to another root")
    return f"event {proof['position']} is in the log of {size} events"

def verify_consistency(proof):
    old, new, path = proof["old_size"], proof["size"], [b64(h) for h in proof["path"]]
    old_root, new_root = b64(proof["old_root"]), b64(proof["root"])
    check(0 < old <= new, "the sizes make no sense")
    if old == new:
        check(not path and old_root == new_root, "trees of one size with two roots")
    else:
        if old & (old - 1) == 0:
            path = [old_root] + path
        check(path, "the path is too short")
        node, last = old - 1, new - 1
        while node & 1:
            node, last = node >> 1, last >> 1
        found = walk(node, last, path[0], path[0], path[1:])
        check(found == (old_root, new_root), "the path leads to other roots")
    return f"the log of {new} events goes on from the one of {old}"

# --- Checkpoints: C2SP signed-note and tlog-checkpoint ---

def read_checkpoint(note, key):
    """What a checkpoint says that this key has signed."""
    name, key_id, typed = key.strip().split("+", 2)
    typed = b64(typed)
    check(typed[:1] == b"\1" and len(typed) == 33, "the key is no Ed25519 key")
    check(sha256(name.encode(), b"\n", typed)[:4].hex() == key_id, "the key's id is another")
    check("\n\n" in note and note.endswith("\n"), "the checkpoint is no signed note")
    text, lines = note.rsplit("\n\n", 1)
    text, signed = text + "\n", False
    for line in lines.splitlines():
        dash, who, signature = line.split(" ")
        signature = b64(signature)
        if dash == "\u2014" and who == name and signature[:4].hex() == key_id:
            check(ed25519(typed[1:], text.encode(), signature[4:]), "the signature does not match")
            signed = True
    check(signed, "the checkpoint has no signature of this key")
    origin, size, top, frame, recorded = text.splitlines()[:5]
    check(origin == name and origin.startswith("encours/"), "the checkpoint is of another log")
    _, number, frame_hash = frame.split(" ")
    return {"log_id": origin[8:], "size": int(size), "root": b64(top), "frame": int(number),
            "hash": b64(frame_hash), "time": recorded[12:]}

def verify_log(folder):
    log_id, leaves, frames = read_log(folder)
    top = base64.b64encode(root(leaves)).decode()
    return f"log {log_id.hex()}: {len(frames)} frames, {len(leaves)} events, root {top}"

def verify_checkpoint(file, key, folder=None):
    said = read_checkpoint(open(file, encoding="utf-8").read(), key)
    holds = f"checkpoint of log {said['log_id']} at {said['size']} events, {said['time']}"
    if folder is not None:
        log_id, leaves, frames = read_log(folder)
        size, number = said["size"], said["frame"]
        check(log_id.hex() == said["log_id"], "the folder holds another log")
        check(size <= len(leaves), f"the log ends at position {len(leaves)}, {size} was signed")
        same = root(leaves[:size]) == said["root"]
        check(same, f"FAIL at size {size}: the log is not the one that was signed")
        check(number <= len(frames) and frames[number - 1][1] == said["hash"],
              f"FAIL at frame {number}: it is not the one that was signed")
        holds += ", and the log agrees with it"
    return holds

def verify_proof(file, key=None, checkpoint=None):
    proof = json.load(open(file, encoding="utf-8"))
    kinds = {"encours-inclusion-1": verify_inclusion, "encours-consistency-1": verify_consistency}
    check(proof.get("format") in kinds, "this is no proof")
    holds = kinds[proof["format"]](proof)
    if key is not None:
        note = open(checkpoint, encoding="utf-8").read() if checkpoint else proof.get("checkpoint")
        check(note, "the proof comes without a checkpoint: give one")
        said = read_checkpoint(note, key)
        ends = [(proof["size"], b64(proof["root"]))]
        if "old_size" in proof:
            ends.append((proof["old_size"], b64(proof["old_root"])))
        check(said["log_id"] == proof["log_id"], "the checkpoint is of another log")
        check((said["size"], said["root"]) in ends, "the checkpoint is of another tree")
        holds += f", as signed at {said['size']} events"
    return holds

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

def point(encoded):
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
    base = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
    a, b = times(s, base), add(point(signature[:32]), times(h, point(public)))
    return s < L and (a[0] * b[2] - b[0] * a[2]) % P == 0 == (a[1] * b[2] - b[1] * a[2]) % P

def main(arguments):
    verbs = {"log": verify_log, "checkpoint": verify_checkpoint, "proof": verify_proof}
    if not arguments or arguments[0] not in verbs:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        print("OK:", verbs[arguments[0]](*arguments[1:]))
        return 0
    except Wrong as wrong:
        print("WRONG:", wrong)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, struct.error) as error:
        print("WRONG: malformed:", repr(error))
    return 1

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
