"""A recording of `systole ... --record FILE` as words that the Icarus bench replays.

Form of a recording: host/card/record/format.h. The bench's words are 32 bits, one a line, in
hexadecimal, little-endian within device memory:

  1 PORT ADDRESS COUNT word...              write memory
  2 PORT ADDRESS COUNT mask word...         memory must hold these bits (a pair for each word)
  3 INSTRUCTIONS PROGRAM-low PROGRAM-high WEIGHTS-low -high ACTIVATIONS-low -high     run
  4 OFFSET MASK VALUE                       a register must read so
  0                                         the end
"""
import hashlib
import struct

MAGIC = b"SYSTREC\n"
HEADER = struct.Struct("<IIQQQQ")
OPEN, ALLOC, FREE, WRITE, READ, START, DONE, REGISTER, RESET, END = range(1, 11)
GEOMETRY = 0x48    # RegGeometry; bits 31:24 say which array it is
COUNTERS = 0x80    # RegCounters
CYCLES = COUNTERS


class Bad(Exception):
    pass


def events(data):
    """(type, small, a, b, c, payload) of every event."""
    if data[:8] != MAGIC:
        raise Bad("this is no recording")
    if hashlib.sha256(data[:-32]).digest() != data[-32:]:
        raise Bad("the recording was changed after it was written")
    at = 8
    while at < len(data) - 32:
        kind, small, a, b, c, size = HEADER.unpack_from(data, at)
        at += HEADER.size
        yield kind, small, a, b, c, data[at:at + size]
        at += size


class Words:
    def __init__(self, data):
        self.words = []
        self.spans = [0, 0]     # bytes of each port's memory that are used
        self.runs = self.registers = self.cycles = self.read_bytes = 0
        self.known = [{}, {}]   # bytes that were written or read: {address: byte}
        for kind, small, a, b, _, payload in events(data):
            if kind == ALLOC:
                self.spans[small] = max(self.spans[small], (a & 0xFFFFFFFF) + b)
            elif kind == WRITE:
                self.write(small, a, payload)
            elif kind == READ:
                self.read(small, a, payload)
            elif kind == START:
                self.runs += 1
                self.words += [3, small]
                # Program, weights, activations: a, b, c.
                for address in (a, b, _):
                    self.words += [address & 0xFFFFFFFF, address >> 32]
            elif kind == DONE and small:
                raise Bad(f"a recorded run failed: {payload.decode()}")
            elif kind == REGISTER:
                self.registers += 1
                if small == CYCLES:
                    self.cycles += a
                self.words += [4, small, 0x00FFFFFF if small == GEOMETRY else 0xFFFFFFFF, a]
        self.words.append(0)
        if not self.runs or not self.read_bytes or not self.cycles:
            raise Bad("nothing was run, read or counted in the recording")

    def aligned(self, address, payload):
        first = address & ~3
        count = (address + len(payload) + 3 - first) // 4
        return first, count

    def write(self, port, address, payload):
        first, count = self.aligned(address, payload)
        known = self.known[port]
        known.update(zip(range(address, address + len(payload)), payload))
        self.words += [1, port, first & 0xFFFFFFFF, count]
        for i in range(count):
            self.words.append(sum(known.get(first + 4 * i + j, 0) << 8 * j for j in range(4)))

    def read(self, port, address, payload):
        first, count = self.aligned(address, payload)
        self.read_bytes += len(payload)
        got = dict(zip(range(address, address + len(payload)), payload))
        self.known[port].update(got)
        self.words += [2, port, first & 0xFFFFFFFF, count]
        for i in range(count):
            span = range(first + 4 * i, first + 4 * i + 4)
            self.words.append(sum((0xFF if b in got else 0) << 8 * j for j, b in enumerate(span)))
            self.words.append(sum(got.get(b, 0) << 8 * j for j, b in enumerate(span)))
