// Buffer: a Uint8Array with Node's methods for text, numbers and searching.
(function (native, internal) {
  'use strict';

  const names = {
    utf8: 'utf8', 'utf-8': 'utf8', hex: 'hex', base64: 'base64', base64url: 'base64url', ascii: 'ascii',
    latin1: 'latin1', binary: 'latin1', ucs2: 'utf16le', 'ucs-2': 'utf16le', utf16le: 'utf16le', 'utf-16le': 'utf16le',
  };

  function encodingOf(name) {
    if (name === undefined || name === null || name === '') return 'utf8';
    const found = names[name] ?? names[String(name).toLowerCase()];
    if (found === undefined) throw internal.coded(TypeError, 'ERR_UNKNOWN_ENCODING', `Unknown encoding: ${name}`);
    return found;
  }

  function encode(text, encoding) {
    switch (encodingOf(encoding)) {
      case 'hex': return native.hexDecode(text);
      case 'base64':
      case 'base64url': return native.base64Decode(text, false);
      case 'ascii':
      case 'latin1': return native.latin1Encode(text);
      case 'utf16le': return native.utf16Encode(text);
      default: return native.utf8Encode(text);
    }
  }

  function decode(bytes, encoding) {
    switch (encodingOf(encoding)) {
      case 'hex': return native.hexEncode(bytes);
      case 'base64': return native.base64Encode(bytes, false);
      case 'base64url': return native.base64Encode(bytes, true);
      case 'ascii': return native.latin1Decode(bytes, 0x7f);
      case 'latin1': return native.latin1Decode(bytes);
      case 'utf16le': return native.utf16Decode(bytes);
      default: return native.utf8Decode(bytes);
    }
  }

  const own = (bytes) => new FastBuffer(bytes.buffer, bytes.byteOffset, bytes.byteLength);

  function kindOf(value) {
    if (value === null || value === undefined) return String(value);
    return typeof value === 'object' ? `an instance of ${value.constructor?.name ?? 'Object'}` : `type ${typeof value} (${String(value)})`;
  }

  function checkSize(size) {
    if (typeof size !== 'number') {
      throw internal.coded(TypeError, 'ERR_INVALID_ARG_TYPE', `The "size" argument must be of type number. Received ${kindOf(size)}`);
    }
    if (!(size >= 0 && size <= 0x7fffffff)) {
      throw internal.coded(RangeError, 'ERR_OUT_OF_RANGE', `The value of "size" is out of range. Received ${size}`);
    }
    return size;
  }

  // An index as slice and its kin take it: negative ones count from the end.
  function at(index, length, otherwise) {
    if (index === undefined) return otherwise;
    index = Math.trunc(Number(index)) || 0;
    return index < 0 ? Math.max(length + index, 0) : Math.min(index, length);
  }

  class Buffer extends Uint8Array {
    static from(value, encodingOrOffset, length) {
      if (typeof value === 'string') return own(encode(value, encodingOrOffset));
      if (value !== null && typeof value === 'object') {
        if (internal.is.arrayBuffer(value) || value instanceof SharedArrayBuffer) return new FastBuffer(value, encodingOrOffset, length);
        if (ArrayBuffer.isView(value) || Array.isArray(value)) {
          const buffer = new FastBuffer(value.length ?? value.byteLength);
          for (let i = 0; i < buffer.length; i++) buffer[i] = value[i] & 255;
          return buffer;
        }
        if (value.type === 'Buffer' && Array.isArray(value.data)) return Buffer.from(value.data);
        const inner = typeof value.valueOf === 'function' ? value.valueOf() : undefined;
        if (inner !== value && inner !== undefined && inner !== null) return Buffer.from(inner, encodingOrOffset, length);
        if (typeof value[Symbol.toPrimitive] === 'function') return Buffer.from(value[Symbol.toPrimitive]('string'), encodingOrOffset);
        if (typeof value.length === 'number') return Buffer.from(Array.from(value));
      }
      throw internal.coded(TypeError, 'ERR_INVALID_ARG_TYPE',
        `The first argument must be of type string or an instance of Buffer, ArrayBuffer, or Array or an Array-like Object. Received ${kindOf(value)}`);
    }
    static of(...bytes) { return Buffer.from(bytes); }
    static alloc(size, fill, encoding) {
      const buffer = new FastBuffer(checkSize(size));
      return fill === undefined || fill === 0 || size === 0 ? buffer : buffer.fill(fill, encoding);
    }
    static allocUnsafe(size) { return new FastBuffer(checkSize(size)); }
    static allocUnsafeSlow(size) { return new FastBuffer(checkSize(size)); }
    static isBuffer(value) { return value instanceof Buffer; }
    static isEncoding(name) { return typeof name === 'string' && names[name.toLowerCase()] !== undefined; }
    static byteLength(value, encoding) {
      if (typeof value !== 'string') return value.byteLength;
      return encodingOf(encoding) === 'utf8' ? native.utf8Length(value) : encode(value, encoding).length;
    }
    static concat(list, length) {
      if (!Array.isArray(list)) {
        throw internal.coded(TypeError, 'ERR_INVALID_ARG_TYPE', `The "list" argument must be an instance of Array. Received ${kindOf(list)}`);
      }
      const joined = new FastBuffer(length ?? list.reduce((sum, each) => sum + each.length, 0));
      let offset = 0;
      for (const each of list) {
        if (offset >= joined.length) break;
        joined.set(each.length > joined.length - offset ? each.subarray(0, joined.length - offset) : each, offset);
        offset += each.length;
      }
      return joined;
    }
    static compare(a, b) { return native.compare(a, b); }

    get parent() { return this.buffer; }
    get offset() { return this.byteOffset; }

    toString(encoding, start, end) {
      const from = at(start, this.length, 0);
      const to = at(end, this.length, this.length);
      if (from >= to) return '';
      return decode(from === 0 && to === this.length ? this : this.subarray(from, to), encoding);
    }
    toLocaleString(encoding, start, end) { return this.toString(encoding, start, end); }
    toJSON() { return { type: 'Buffer', data: Array.from(this) }; }
    equals(other) { return this === other || (this.length === other.length && native.compare(this, other) === 0); }
    compare(other, targetStart, targetEnd, start, end) {
      return native.compare(this.subarray(start ?? 0, end ?? this.length), other.subarray(targetStart ?? 0, targetEnd ?? other.length));
    }
    subarray(start, end) {
      const from = at(start, this.length, 0);
      return new FastBuffer(this.buffer, this.byteOffset + from, Math.max(at(end, this.length, this.length) - from, 0));
    }
    slice(start, end) { return this.subarray(start, end); }
    copy(target, targetStart = 0, start = 0, end = this.length) {
      const part = Uint8Array.prototype.subarray.call(this, start, Math.min(end, start + Math.max(target.length - targetStart, 0)));
      target.set(part, targetStart);
      return part.length;
    }
    write(text, offset, length, encoding) {
      if (typeof offset === 'string') [encoding, offset, length] = [offset, 0, undefined];
      else if (typeof length === 'string') [encoding, length] = [length, undefined];
      offset ??= 0;
      const room = Math.min(length ?? Infinity, this.length - offset);
      let bytes = encode(String(text), encoding);
      if (bytes.length > room) {
        let end = room;
        if (encodingOf(encoding) === 'utf8') while (end > 0 && (bytes[end] & 0xc0) === 0x80) end--; // whole characters
        bytes = bytes.subarray(0, end);
      }
      this.set(bytes, offset);
      return bytes.length;
    }
    fill(value, start, end, encoding) {
      if (typeof start === 'string') [encoding, start, end] = [start, undefined, undefined];
      else if (typeof end === 'string') [encoding, end] = [end, undefined];
      const from = at(start, this.length, 0);
      const to = at(end, this.length, this.length);
      if (typeof value === 'string') value = encode(value, encoding);
      if (typeof value === 'number' || typeof value === 'boolean') {
        Uint8Array.prototype.fill.call(this, value & 255, from, to);
      } else if (value.length === 0) {
        Uint8Array.prototype.fill.call(this, 0, from, to);
      } else {
        for (let i = from; i < to; i++) this[i] = value[(i - from) % value.length];
      }
      return this;
    }
    indexOf(value, offset, encoding) {
      if (typeof offset === 'string') [encoding, offset] = [offset, 0];
      if (typeof value === 'number') return Uint8Array.prototype.indexOf.call(this, value & 255, at(offset, this.length, 0));
      return native.find(this, typeof value === 'string' ? encode(value, encoding) : value, at(offset, this.length, 0));
    }
    lastIndexOf(value, offset, encoding) {
      if (typeof value === 'number') return Uint8Array.prototype.lastIndexOf.call(this, value & 255, offset ?? this.length - 1);
      const needle = typeof value === 'string' ? encode(value, encoding) : value;
      let last = -1;
      for (let i = native.find(this, needle, 0); i >= 0 && i <= (offset ?? Infinity); i = native.find(this, needle, i + 1)) last = i;
      return last;
    }
    includes(value, offset, encoding) { return this.indexOf(value, offset, encoding) !== -1; }
    swap16() { return swap(this, 2); }
    swap32() { return swap(this, 4); }
    swap64() { return swap(this, 8); }

    readUIntBE(offset, length) {
      check(this, offset, length);
      let value = 0;
      for (let i = 0; i < length; i++) value = value * 256 + this[offset + i];
      return value;
    }
    readUIntLE(offset, length) {
      check(this, offset, length);
      let value = 0;
      for (let i = length - 1; i >= 0; i--) value = value * 256 + this[offset + i];
      return value;
    }
    readIntBE(offset, length) { return signed(this.readUIntBE(offset, length), length); }
    readIntLE(offset, length) { return signed(this.readUIntLE(offset, length), length); }
    writeUIntBE(value, offset, length) {
      checkValue(value, 0, 2 ** (8 * length) - 1);
      return put(this, value, offset, length, true);
    }
    writeUIntLE(value, offset, length) {
      checkValue(value, 0, 2 ** (8 * length) - 1);
      return put(this, value, offset, length, false);
    }
    writeIntBE(value, offset, length) {
      checkValue(value, -(2 ** (8 * length - 1)), 2 ** (8 * length - 1) - 1);
      return put(this, value < 0 ? value + 2 ** (8 * length) : value, offset, length, true);
    }
    writeIntLE(value, offset, length) {
      checkValue(value, -(2 ** (8 * length - 1)), 2 ** (8 * length - 1) - 1);
      return put(this, value < 0 ? value + 2 ** (8 * length) : value, offset, length, false);
    }

    [Symbol.for('nodejs.util.inspect.custom')]() {
      const hex = native.hexEncode(this.subarray(0, 50)).replace(/..(?=.)/g, '$& ');
      const rest = this.length - 50;
      return `<${this.constructor.name === 'FastBuffer' ? 'Buffer' : this.constructor.name}${hex ? ` ${hex}` : ''}${
        rest > 0 ? ` ... ${rest} more byte${rest > 1 ? 's' : ''}` : ''}>`;
    }
  }

  function swap(buffer, size) {
    if (buffer.length % size) {
      throw internal.coded(RangeError, 'ERR_INVALID_BUFFER_SIZE', `Buffer size must be a multiple of ${8 * size}-bits`);
    }
    for (let i = 0; i < buffer.length; i += size) Uint8Array.prototype.subarray.call(buffer, i, i + size).reverse();
    return buffer;
  }

  function check(buffer, offset, length) {
    if (typeof offset !== 'number') {
      throw internal.coded(TypeError, 'ERR_INVALID_ARG_TYPE', `The "offset" argument must be of type number. Received ${kindOf(offset)}`);
    }
    if (!Number.isInteger(offset) || offset < 0 || offset + length > buffer.length) {
      if (length > buffer.length) throw internal.coded(RangeError, 'ERR_BUFFER_OUT_OF_BOUNDS', 'Attempt to access memory outside buffer bounds');
      throw internal.coded(RangeError, 'ERR_OUT_OF_RANGE',
        `The value of "offset" is out of range. It must be >= 0 and <= ${buffer.length - length}. Received ${offset}`);
    }
  }

  function checkValue(value, low, high) {
    if (value < low || value > high) {
      throw internal.coded(RangeError, 'ERR_OUT_OF_RANGE',
        `The value of "value" is out of range. It must be >= ${low} and <= ${high}. Received ${value}`);
    }
  }

  const signed = (value, length) => (value >= 2 ** (8 * length - 1) ? value - 2 ** (8 * length) : value);

  function put(buffer, value, offset = 0, length, big) {
    check(buffer, offset, length);
    value = Math.trunc(Number(value)) || 0;
    for (let i = 0; i < length; i++) {
      buffer[big ? offset + length - 1 - i : offset + i] = value % 256;
      value = Math.floor(value / 256);
    }
    return offset + length;
  }

  // Numbers of a fixed size are a DataView's.
  const methods = {};
  for (const [name, view, size, low, high] of [
    ['UInt8', 'Uint8', 1, 0, 255], ['Int8', 'Int8', 1, -128, 127],
    ['UInt16', 'Uint16', 2, 0, 65535], ['Int16', 'Int16', 2, -32768, 32767],
    ['UInt32', 'Uint32', 4, 0, 4294967295], ['Int32', 'Int32', 4, -2147483648, 2147483647],
    ['BigUInt64', 'BigUint64', 8, 0n, 2n ** 64n - 1n], ['BigInt64', 'BigInt64', 8, -(2n ** 63n), 2n ** 63n - 1n],
    ['Float', 'Float32', 4], ['Double', 'Float64', 8],
  ]) {
    for (const order of size === 1 ? [''] : ['LE', 'BE']) {
      const little = order === 'LE';
      const read = function (offset = 0) {
        check(this, offset, size);
        return new DataView(this.buffer, this.byteOffset, this.byteLength)[`get${view}`](offset, little);
      };
      const write = function (value, offset = 0) {
        if (low !== undefined) checkValue(value, low, high);
        check(this, offset, size);
        new DataView(this.buffer, this.byteOffset, this.byteLength)[`set${view}`](offset, value, little);
        return offset + size;
      };
      methods[`read${name}${order}`] = read;
      methods[`write${name}${order}`] = write;
      if (name.includes('UInt')) { // Node has both spellings
        methods[`read${name.replace('UInt', 'Uint')}${order}`] = read;
        methods[`write${name.replace('UInt', 'Uint')}${order}`] = write;
      }
    }
  }
  for (const name of ['UIntBE', 'UIntLE']) {
    methods[`read${name.replace('UInt', 'Uint')}`] = Buffer.prototype[`read${name}`];
    methods[`write${name.replace('UInt', 'Uint')}`] = Buffer.prototype[`write${name}`];
  }
  internal.define(Buffer.prototype, methods);
  Buffer.poolSize = 8192;

  // new Buffer(x) and Buffer(x) are Node's oldest forms; what we make ourselves goes
  // around the constructor. Subclasses of typed arrays make results by their species.
  const FastBuffer = Buffer;
  const callable = new Proxy(Buffer, {
    apply(target, self, [value, ...rest]) { return typeof value === 'number' ? Buffer.alloc(value) : Buffer.from(value, ...rest); },
    construct(target, [value, ...rest], newTarget) {
      if (newTarget !== callable) return Reflect.construct(target, [value, ...rest], newTarget);
      return typeof value === 'number' ? Buffer.alloc(value) : Buffer.from(value, ...rest);
    },
  });
  Object.defineProperty(Buffer.prototype, 'constructor', { value: callable, writable: true, configurable: true });
  Object.defineProperty(Buffer, Symbol.species, { value: Buffer, configurable: true });

  internal.Buffer = callable;
  internal.encode = encode;
  internal.decode = decode;
  internal.define(globalThis, { Buffer: callable });
})
