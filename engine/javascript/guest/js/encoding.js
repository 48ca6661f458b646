// TextEncoder and TextDecoder (Encoding Standard), atob and btoa.
(function (native, internal) {
  'use strict';

  class TextEncoder {
    get encoding() { return 'utf-8'; }
    encode(text = '') { return native.utf8Encode(`${text}`); }
    encodeInto(text, target) {
      text = `${text}`;
      let read = 0;
      let written = 0;
      for (const character of text) {
        const bytes = native.utf8Encode(character);
        if (written + bytes.length > target.length) break;
        target.set(bytes, written);
        written += bytes.length;
        read += character.length;
      }
      return { read, written };
    }
  }
  internal.tag(TextEncoder, 'TextEncoder');

  const labels = {
    'utf-8': 'utf-8', utf8: 'utf-8', 'unicode-1-1-utf-8': 'utf-8',
    'utf-16le': 'utf-16le', 'utf-16': 'utf-16le', 'ucs-2': 'utf-16le', unicode: 'utf-16le',
    latin1: 'windows-1252', 'iso-8859-1': 'windows-1252', 'windows-1252': 'windows-1252', ascii: 'windows-1252',
    'us-ascii': 'windows-1252', 'iso8859-1': 'windows-1252', l1: 'windows-1252', 'cp1252': 'windows-1252',
  };
  // What windows-1252 has at 0x80 to 0x9f.
  const high = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';

  function view(input) {
    if (input === undefined) return new Uint8Array(0);
    if (ArrayBuffer.isView(input)) return new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
    if (internal.is.arrayBuffer(input) || input instanceof SharedArrayBuffer) return new Uint8Array(input);
    throw internal.coded(TypeError, 'ERR_INVALID_ARG_TYPE',
      'The "input" argument must be an instance of ArrayBuffer or ArrayBufferView');
  }

  // How many bytes at the end are the start of a character that is still to come.
  function incomplete(bytes, encoding) {
    if (encoding === 'utf-16le') {
      const odd = bytes.length % 2;
      const last = bytes.length - odd - 1;
      return odd + (last > 0 && (bytes[last] & 0xfc) === 0xd8 ? 2 : 0);
    }
    if (encoding !== 'utf-8') return 0;
    for (let back = 1; back <= 3 && back <= bytes.length; back++) {
      const byte = bytes[bytes.length - back];
      if ((byte & 0xc0) === 0x80) continue;
      const need = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 1;
      return need > back ? back : 0;
    }
    return 0;
  }

  class TextDecoder {
    #encoding; #fatal; #ignoreBOM;
    #rest = new Uint8Array(0);
    #begun = false;
    constructor(label = 'utf-8', options = {}) {
      this.#encoding = labels[String(label).trim().toLowerCase()];
      if (this.#encoding === undefined) {
        throw internal.coded(RangeError, 'ERR_ENCODING_NOT_SUPPORTED', `The "${label}" encoding is not supported`);
      }
      this.#fatal = Boolean(options?.fatal);
      this.#ignoreBOM = Boolean(options?.ignoreBOM);
    }
    get encoding() { return this.#encoding; }
    get fatal() { return this.#fatal; }
    get ignoreBOM() { return this.#ignoreBOM; }
    decode(input, options) {
      let bytes = view(input);
      const stream = Boolean(options?.stream);
      if (this.#rest.length > 0) {
        const joined = new Uint8Array(this.#rest.length + bytes.length);
        joined.set(this.#rest);
        joined.set(bytes, this.#rest.length);
        bytes = joined;
        this.#rest = new Uint8Array(0);
      }
      if (stream) {
        const keep = incomplete(bytes, this.#encoding);
        this.#rest = bytes.slice(bytes.length - keep);
        bytes = bytes.subarray(0, bytes.length - keep);
      }
      let text;
      if (this.#encoding === 'utf-8') text = native.utf8Decode(bytes, this.#fatal);
      else if (this.#encoding === 'utf-16le') text = this.#utf16(bytes);
      else text = native.latin1Decode(bytes).replace(/[\x80-\x9f]/g, (c) => high[c.charCodeAt(0) - 0x80]);
      if (text === undefined) {
        this.#begun = false;
        throw internal.coded(TypeError, 'ERR_ENCODING_INVALID_ENCODED_DATA',
          `The encoded data was not valid for encoding ${this.#encoding}`);
      }
      if (!this.#begun && !this.#ignoreBOM && text.charCodeAt(0) === 0xfeff) text = text.slice(1);
      this.#begun = stream && (this.#begun || text !== '');
      return text;
    }
    #utf16(bytes) {
      const text = native.utf16Decode(bytes);
      const good = text.isWellFormed() && bytes.length % 2 === 0;
      if (!good && this.#fatal) return undefined;
      return good ? text : text.toWellFormed() + (bytes.length % 2 ? '\ufffd' : '');
    }
  }
  internal.tag(TextDecoder, 'TextDecoder');

  function wrong(message) {
    return new internal.DOMException(message, 'InvalidCharacterError');
  }

  internal.define(globalThis, {
    TextEncoder,
    TextDecoder,
    atob(text) {
      const bytes = native.base64Decode(`${text}`, true);
      if (bytes === undefined) throw wrong('The string to be decoded is not correctly encoded.');
      return native.latin1Decode(bytes);
    },
    btoa(text) {
      text = `${text}`;
      if (/[^\x00-\xff]/.test(text)) throw wrong('Invalid character'); // eslint-disable-line no-control-regex
      return native.base64Encode(native.latin1Encode(text));
    },
  });
})
