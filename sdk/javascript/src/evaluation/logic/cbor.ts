/** Values in CBOR (RFC 8949, section 4.2.3: objects in the order of the length of their names). */

import { compareTexts } from "../texts.js";
import { type Data, isFields, isList } from "./values.js";

/** What begins a value of each kind. */
const POSITIVE = 0;
const NEGATIVE = 1;
const TEXT = 3;
const LIST = 4;
const FIELDS = 5;
const NULL = 0xf6;
const FALSE = 0xf4;
const [HALF, SINGLE, DOUBLE] = [0xf9, 0xfa, 0xfb];
/** Whole numbers that are written without a point. */
const [WHOLE_MIN, WHOLE_END] = [-(2 ** 63), 2 ** 64];
const encoder = new TextEncoder();

/** Writes a value as bytes. */
export function cbor(value: Data): Uint8Array {
  const bytes: number[] = [];
  write(value, bytes);
  return Uint8Array.from(bytes);
}

function write(value: Data, into: number[]): void {
  if (value === null) {
    into.push(NULL);
  } else if (typeof value === "boolean") {
    into.push(FALSE + Number(value));
  } else if (typeof value === "number") {
    writeNumber(value, into);
  } else if (typeof value === "string") {
    writeText(value, into);
  } else if (isList(value)) {
    writeHead(LIST, value.length, into);
    value.forEach((one) => write(one, into));
  } else if (isFields(value)) {
    writeFields(Object.entries(value), into);
  }
}

function writeText(text: string, into: number[]): void {
  const bytes = encoder.encode(text);
  writeHead(TEXT, bytes.length, into);
  for (const byte of bytes) {
    into.push(byte);
  }
}

function writeFields(fields: readonly (readonly [string, Data])[], into: number[]): void {
  writeHead(FIELDS, fields.length, into);
  const lengths = new Map(fields.map(([name]) => [name, encoder.encode(name).length]));
  const lengthOf = (name: string): number => lengths.get(name) ?? 0;
  const ordered = [...fields].sort(([one], [other]) => lengthOf(one) - lengthOf(other) || compareTexts(one, other));
  for (const [name, value] of ordered) {
    writeText(name, into);
    write(value, into);
  }
}

/** Writes a number: whole ones without a point, others in as few bytes as hold them. */
function writeNumber(value: number, into: number[]): void {
  if (Number.isInteger(value) && WHOLE_MIN <= value && value < WHOLE_END) {
    writeHead(value < 0 ? NEGATIVE : POSITIVE, value < 0 ? -1n - BigInt(value) : value, into);
    return;
  }
  const view = new DataView(new ArrayBuffer(8));
  if (!Object.is(Math.fround(value), value)) {
    view.setFloat64(0, value);
    into.push(DOUBLE, ...new Uint8Array(view.buffer));
    return;
  }
  const half = halfOf(value);
  if (half === undefined) {
    view.setFloat32(0, value);
    into.push(SINGLE, ...new Uint8Array(view.buffer, 0, 4));
  } else {
    into.push(HALF, half >> 8, half & 0xff);
  }
}

/** Says the bits of a number in half precision (IEEE 754), if it has no more. */
function halfOf(value: number): number | undefined {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  const bits = view.getUint32(0);
  const [sign, exponent, fraction] = [(bits >>> 16) & 0x8000, ((bits >>> 23) & 0xff) - 127, bits & 0x7fffff];
  if (exponent < -24 || exponent > 15) {
    return undefined;
  }
  // The smallest have no exponent, and show the bit that others leave out.
  const isSmall = exponent < -14;
  const rest = fraction | (isSmall ? 0x800000 : (exponent + 15) << 23);
  const shift = isSmall ? -1 - exponent : 13;
  return (rest & ((1 << shift) - 1)) === 0 ? sign | (rest >>> shift) : undefined;
}

/** Writes what begins a value: its kind and a number, in as few bytes as hold it. */
function writeHead(kind: number, number: number | bigint, into: number[]): void {
  const value = BigInt(number);
  const begin = kind << 5;
  if (value < 24n) {
    into.push(begin | Number(value));
    return;
  }
  const power = [0, 1, 2].find((power) => value < 1n << BigInt(8 << power)) ?? 3;
  into.push(begin | (24 + power));
  for (let byte = (1 << power) - 1; byte >= 0; byte--) {
    into.push(Number((value >> BigInt(8 * byte)) & 0xffn));
  }
}
