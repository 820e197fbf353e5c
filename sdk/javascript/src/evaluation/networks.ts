/** Networks of IP addresses, and whether an address is in one. */

/** An address: its number, and how many bits it has. */
export interface Address {
  readonly number: bigint;
  readonly width: 32 | 128;
}

const OCTET = "(?:0|[1-9][0-9]?|1[0-9][0-9]|2[0-4][0-9]|25[0-5])";
const V4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);
const GROUP = /^[0-9A-Fa-f]{1,4}$/;
const BITS = /^\+?[0-9]+$/;
const GROUPS = 8;
const MAPPED_BITS = 96;
const V4_MASK = 0xffff_ffffn;

/** Reads an address; an IPv4 address written as IPv6 (`::ffff:10.0.0.1`) is the IPv4 address. */
export function address(text: string): Address | undefined {
  const found = plain(text);
  return found && (mapped(found) ?? found);
}

function mapped(found: Address): Address | undefined {
  const isMapped = found.width === 128 && found.number >> 32n === 0xffffn;
  return isMapped ? { number: found.number & V4_MASK, width: 32 } : undefined;
}

function plain(text: string): Address | undefined {
  if (V4.test(text)) {
    return { number: v4(text), width: 32 };
  }
  const groups = v6(text);
  if (!groups) {
    return undefined;
  }
  return { number: groups.reduce((sum, group) => (sum << 16n) | BigInt(group), 0n), width: 128 };
}

function v4(text: string): bigint {
  return text.split(".").reduce((sum, octet) => (sum << 8n) | BigInt(octet), 0n);
}

/** Reads the eight groups of an IPv6 address; `::` stands for one at least. */
function v6(text: string): number[] | undefined {
  const halves = text.split("::");
  if (halves.length > 2 || !text.includes(":")) {
    return undefined;
  }
  const parts = halves.map((half, place) => groupsOf(half, place === halves.length - 1));
  const [head, tail] = parts;
  if (!head || parts.includes(undefined)) {
    return undefined;
  }
  if (!tail) {
    return head.length === GROUPS ? head : undefined;
  }
  const missing = GROUPS - head.length - tail.length;
  return missing > 0 ? [...head, ...Array<number>(missing).fill(0), ...tail] : undefined;
}

function groupsOf(text: string, isLast: boolean): number[] | undefined {
  const groups: number[] = [];
  const parts = text === "" ? [] : text.split(":");
  for (const [place, part] of parts.entries()) {
    if (GROUP.test(part)) {
      groups.push(Number.parseInt(part, 16));
    } else if (isLast && place === parts.length - 1 && V4.test(part)) {
      const number = Number(v4(part));
      groups.push(Math.floor(number / 65536), number % 65536);
    } else {
      return undefined;
    }
  }
  return groups;
}

/** Addresses that begin with the same bits. */
export class Network {
  readonly #first: bigint;
  readonly #shift: bigint;

  private constructor(
    start: Address,
    bits: number,
    private readonly width = start.width,
  ) {
    this.#shift = BigInt(start.width - bits);
    this.#first = start.number >> this.#shift;
  }

  /** Reads `10.0.0.0/8`, or one address. */
  static read(text: string): Network | undefined {
    const slash = text.indexOf("/");
    const start = plain(slash < 0 ? text : text.slice(0, slash));
    if (!start) {
      return undefined;
    }
    const length = slash < 0 ? String(start.width) : text.slice(slash + 1);
    const bits = Number(length);
    if (!BITS.test(length) || bits > start.width) {
      return undefined;
    }
    const v4Start = mapped(start);
    // `::ffff:10.0.0.0/104` is 10.0.0.0/8, written as IPv6.
    return v4Start && bits >= MAPPED_BITS ? new Network(v4Start, bits - MAPPED_BITS) : new Network(start, bits);
  }

  /** Whether an address is in it. */
  has(one: Address): boolean {
    return one.width === this.width && one.number >> this.#shift === this.#first;
  }
}
