/**
 * Puts units into buckets, and buckets into shares, exactly as the server does.
 *
 * A unit's hash is MurmurHash3 (x86, 32 bits, seed 0) of a key followed by the unit; of `total` weights it falls on number
 * `(hash * total) >> 32`, and the variant is the one whose weights, added up in their order, reach beyond that.
 */

/** How many thousandths of a percent are the whole. */
export const WHOLE = 100_000;

const encoder = new TextEncoder();
/** Bytes of a key and a unit that need no buffer of their own; a UTF-16 unit takes three at most. */
const SHARED_BYTES = 4096;
const BYTES_PER_UNIT_MAX = 3;
const shared = new Uint8Array(SHARED_BYTES);

/** Hashes the first bytes of a buffer with MurmurHash3, x86, 32 bits (Austin Appleby, in the public domain). */
export function murmur32(bytes: Uint8Array, length = bytes.length, seed = 0): number {
  const words = length & ~3;
  let state = seed;
  for (let at = 0; at < words; at += 4) {
    state ^= scrambled(bytesAt(bytes, at, 4));
    state = (Math.imul((state << 13) | (state >>> 19), 5) + 0xe6546b64) | 0;
  }
  state ^= scrambled(bytesAt(bytes, words, length - words));
  state ^= length;
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  return (state ^ (state >>> 16)) >>> 0;
}

function bytesAt(bytes: Uint8Array, at: number, count: number): number {
  let word = 0;
  for (let place = 0; place < count; place++) {
    word |= (bytes[at + place] ?? 0) << (8 * place);
  }
  return word;
}

function scrambled(word: number): number {
  const mixed = Math.imul(word, 0xcc9e2d51);
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
}

/** Hashes units under a key: of a flag, of a layer. */
export class Bucketing {
  readonly #key: Uint8Array;

  constructor(
    key: string,
    private readonly seed = 0,
  ) {
    this.#key = encoder.encode(key);
  }

  /** Says where a unit is among all of them, from 0 to 2^32 - 1. */
  of(unit: string): number {
    const begin = this.#key.length;
    const most = begin + unit.length * BYTES_PER_UNIT_MAX;
    const bytes = most <= SHARED_BYTES ? shared : new Uint8Array(most);
    bytes.set(this.#key);
    const { written } = encoder.encodeInto(unit, begin === 0 ? bytes : bytes.subarray(begin));
    return murmur32(bytes, begin + written, this.seed);
  }
}

/** What part of all units each variant gets, by weights in the order of the variants. */
export class Shares {
  readonly #ends: number[] = [];

  constructor(weights: readonly number[]) {
    const total = BigInt(weights.reduce((sum, weight) => sum + weight, 0));
    if (total <= 0n) {
      throw new RangeError("nothing is shared out without weights");
    }
    let reached = 0n;
    for (const weight of weights) {
      reached += BigInt(weight);
      // `(hash * total) >> 32 < reached`, solved for the hash.
      this.#ends.push(Number(divideUp(reached << 32n, total)));
    }
  }

  /** Says the place of the variant that a hash falls on. */
  place(hash: number): number {
    return this.#ends.findIndex((end) => hash < end);
  }
}

/** Says the first hash that is not below a share of all. */
export function firstHash(thousandths: number): number {
  return Number(divideUp(BigInt(thousandths) << 32n, BigInt(WHOLE)));
}

/** Divides, and rounds up. */
export function divideUp(number: bigint, by: bigint): bigint {
  return (number + by - 1n) / by;
}
