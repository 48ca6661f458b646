// Web Crypto: random numbers and digests; keys, signatures and encryption are not
// there. createHash and createHmac of node:crypto are built on the same digests.
(function (native, internal) {
  'use strict';

  const QUOTA = 65536;

  function bytesOf(value, what) {
    if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    if (internal.is.arrayBuffer(value) || value instanceof SharedArrayBuffer) return new Uint8Array(value);
    throw internal.coded(TypeError, 'ERR_INVALID_ARG_TYPE',
      `The "${what}" argument must be an instance of ArrayBuffer, Buffer, TypedArray, or DataView`);
  }
  internal.bytesOf = bytesOf;

  const algorithms = { 'SHA-1': 'sha1', 'SHA-256': 'sha256', 'SHA-384': 'sha384', 'SHA-512': 'sha512' };

  class SubtleCrypto {
    async digest(algorithm, data) {
      const name = String(typeof algorithm === 'string' ? algorithm : algorithm?.name).toUpperCase();
      const found = algorithms[name];
      if (found === undefined) throw new internal.DOMException(`Unrecognized algorithm name: ${name}`, 'NotSupportedError');
      return native.digest(found, bytesOf(data, 'data')).buffer;
    }
  }
  for (const name of ['encrypt', 'decrypt', 'sign', 'verify', 'generateKey', 'deriveKey', 'deriveBits', 'importKey',
    'exportKey', 'wrapKey', 'unwrapKey']) {
    Object.defineProperty(SubtleCrypto.prototype, name, {
      async value() {
        throw new internal.DOMException(`crypto.subtle.${name} is not part of this runtime: it has digest only (node:crypto has createHmac)`,
          'NotSupportedError');
      },
      writable: true, configurable: true,
    });
  }
  internal.tag(SubtleCrypto, 'SubtleCrypto');

  const subtle = new SubtleCrypto();

  class Crypto {
    get subtle() { return subtle; }
    getRandomValues(array) {
      if (!internal.is.typed(array) || array instanceof Float32Array || array instanceof Float64Array) {
        throw new internal.DOMException('The data argument must be an integer-type TypedArray', 'TypeMismatchError');
      }
      if (array.byteLength > QUOTA) {
        throw new internal.DOMException(`The requested length exceeds ${QUOTA} bytes`, 'QuotaExceededError');
      }
      return native.randomFill(array);
    }
    randomUUID() { return native.randomUUID(); }
  }
  internal.tag(Crypto, 'Crypto');

  internal.define(globalThis, { Crypto, SubtleCrypto, crypto: new Crypto() });
})
