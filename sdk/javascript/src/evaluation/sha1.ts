/** SHA-1 (RFC 3174), because a browser has it only for those who can wait. It says where units stand, and protects nothing. */

const BLOCK_BYTES = 64;
/** What ends the bytes: one bit, and their number in eight bytes. */
const END_BYTES = 9;
const ROUNDS = 80;

/** Hashes bytes; says the five words of the hash. */
export function sha1(bytes: Uint8Array): readonly number[] {
  const padded = new Uint8Array(Math.ceil((bytes.length + END_BYTES) / BLOCK_BYTES) * BLOCK_BYTES);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setBigUint64(padded.length - 8, BigInt(bytes.length) * 8n);
  let state: readonly number[] = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0];
  for (let at = 0; at < padded.length; at += BLOCK_BYTES) {
    state = mixed(state, wordsOf(view, at));
  }
  return state;
}

/** Says the words of a block, one for each round. */
function wordsOf(view: DataView, at: number): Int32Array {
  const words = new Int32Array(ROUNDS);
  const word = (place: number): number => words[place] ?? 0;
  for (let place = 0; place < ROUNDS; place++) {
    words[place] =
      place < 16
        ? view.getInt32(at + place * 4)
        : turned(word(place - 3) ^ word(place - 8) ^ word(place - 14) ^ word(place - 16), 1);
  }
  return words;
}

function mixed(state: readonly number[], words: Int32Array): readonly number[] {
  let [a = 0, b = 0, c = 0, d = 0, e = 0] = state;
  for (let round = 0; round < ROUNDS; round++) {
    const next = (turned(a, 5) + chosen(round, b, c, d) + e + (words[round] ?? 0)) | 0;
    [a, b, c, d, e] = [next, a, turned(b, 30), c, d];
  }
  return [a, b, c, d, e].map((word, place) => (word + (state[place] ?? 0)) >>> 0);
}

/** Mixes three words as the round wants it, and adds its constant. */
function chosen(round: number, b: number, c: number, d: number): number {
  if (round < 20) {
    return ((b & c) | (~b & d)) + 0x5a827999;
  }
  if (round < 40) {
    return (b ^ c ^ d) + 0x6ed9eba1;
  }
  return round < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc : (b ^ c ^ d) + 0xca62c1d6;
}

function turned(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}
