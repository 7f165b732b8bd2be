"""Checks an Encours log, or a proof from it, by docs/log-format.md and Python's library alone.

verify.py log FOLDER (a stopped server's) or verify.py proof FILE (`encours log prove --position`)
"""
import json
import pathlib
import struct
import sys
from base64 import b64decode, b64encode
from hashlib import sha256

FRAME, END_MARK = struct.Struct("<4sHH16sQQQqIII4x32s32s4x"), b"ENC-END\n"
BLOCK = struct.Struct("<4sHH16sQQQ32s428x")  # a header of a segment, or a slot of the anchor
CRC32C = range(256)
for _ in range(8):
    CRC32C = [c >> 1 ^ (0x82F63B78 if c & 1 else 0) for c in CRC32C]


def check(holds, what):
    if not holds:
        sys.exit(f"WRONG: {what}")


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC32C[(crc ^ byte) & 255] ^ crc >> 8
    return struct.pack("<I", crc ^ 0xFFFFFFFF)


def read(kind, magic, stored):  # A header's fields, or None where it is not intact.
    found = kind.unpack(stored[:-4].ljust(kind.size))[3:]
    packed = kind.pack(magic, 1, 1, *found)
    return found if stored == packed + crc32c(packed) else None


def read_log(folder):
    anchor = pathlib.Path(folder, "anchor").read_bytes()
    slots = [read(BLOCK, b"ENCA", anchor[at:at + 512]) for at in (0, 512)]
    paths = sorted(pathlib.Path(folder).glob("[0-9]" * 20 + ".seg"))
    check(paths and any(slots), "no segment, or no slot of the anchor is intact")
    log_id, _, seen, _, seen_hash = max(filter(None, slots), key=lambda slot: slot[1])
    leaves, hashes, last = [], [sha256(b"encours log genesis 1\n" + log_id).digest()], (0, 0)
    for path in paths:
        data, at, nth = path.read_bytes(), 512, len(hashes)
        wanted = (log_id, nth, len(leaves) + 1, len(data), hashes[-1])
        found = read(BLOCK, b"ENCS", data[:512])
        check(found == wanted and int(path.stem) == nth, f"{path.name}: its header, or its place")
        while any(data[at:at + 144]):
            where = f"{path.name} byte {at}, frame {len(hashes)}, position {len(leaves) + 1}:"
            header, at = data[at:at + 144], at + 144
            found = read(FRAME, b"ENCF", header)
            check(found, f"{where} no header of a frame, or a damaged one")
            log, epoch, number, position, time, events, commands, size, before, digest = found
            wanted = (log_id, len(hashes), len(leaves) + 1, hashes[-1])
            check((log, number, position, before) == wanted, f"{where} it follows another frame")
            check(epoch >= last[0] and time >= last[1], f"{where} epoch or time goes back")
            check(sha256(data[at:at + size]).digest() == digest, f"{where} the hash of its body")
            hashes.append(sha256(header).digest())
            last, actors, end = (epoch, time), [], at + size
            for _ in range(commands):
                ids, actor, reason, _, count = struct.unpack_from("<HHHHI", data, at)
                actors += [data[at + 56 + ids:at + 56 + ids + actor]] * count
                at += 56 + ids + actor + reason
            for position, actor in enumerate(actors, position):
                size, crc = struct.unpack_from("<I4s", data, at + 4)
                record, at = data[at:at + 12 + size], at + 12 + size
                check(crc32c(record[:8] + record[12:]) == crc, f"{where} event {position}")
                leaf = struct.pack("<xQqH", position, time, len(actor)) + actor + record
                leaves.append(sha256(leaf).digest())
            check(at == end and len(actors) == events, f"{where} its lengths or counts")
            at = (end + len(END_MARK) + 511) // 512 * 512
            check(data[end:at] == END_MARK.ljust(at - end, b"\0"), f"{where} no end mark")
        check(not any(data[at:]), f"{path.name}: bytes after the last frame are not zero")
    check(hashes[seen:seen + 1] == [seen_hash], f"frame {seen} is not the one its anchor has seen")
    return log_id, leaves, hashes  # The first hash is what frame 1 follows.


def root(leaves):
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256().digest()
    left = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\1" + root(leaves[:left]) + root(leaves[left:])).digest()


def climb(leaf, index, size, path):
    check(0 <= index < size and (size == 1) == (not path), "the path is too long or too short")
    if size == 1:
        return leaf
    left = 1 << (size - 1).bit_length() - 1
    if index < left:
        return sha256(b"\1" + climb(leaf, index, left, path[:-1]) + path[-1]).digest()
    return sha256(b"\1" + path[-1] + climb(leaf, index - left, size - left, path[:-1])).digest()


def verify_proof(file):
    proof = json.loads(pathlib.Path(file).read_bytes())
    check(proof["format"] == "encours-inclusion-1", "this is no proof that an event is in a log")
    actor, position, size = proof["actor"].encode(), proof["position"], proof["size"]
    record, *path = [b64decode(text, validate=True) for text in (proof["record"], *proof["path"])]
    leaf = struct.pack("<xQqH", position, proof["recorded_at_us"], len(actor)) + actor + record
    top = b64encode(climb(sha256(leaf).digest(), position - 1, size, path)).decode()
    check(top == proof["root"], "the path leads to another root")
    return f"event {position} is in the log of {size} events"


def verify_log(folder):
    log_id, leaves, hashes = read_log(folder)
    top = b64encode(root(leaves)).decode()
    return f"log {log_id.hex()}: {len(hashes) - 1} frames, {len(leaves)} events, root {top}"


if __name__ == "__main__":
    check(len(sys.argv) == 3, __doc__)
    print("OK:", {"log": verify_log, "proof": verify_proof}[sys.argv[1]](sys.argv[2]))
