// URL and URLSearchParams (URL Standard). The parser is the standard's state machine.
// Domains are ASCII: names in other scripts are refused, since their tables
// (UTS 46) would be larger than the rest of this runtime's sources.
(function (native, internal) {
  'use strict';

  const ports = { 'http:': 80, 'https:': 443, 'ws:': 80, 'wss:': 443, 'ftp:': 21, 'file:': null, __proto__: null };
  const special = (url) => url.scheme in ports;

  // The percent-encode sets; each has those before it. Controls and what is not ASCII
  // are in all of them.
  const FRAGMENT = ' "<>`';
  const QUERY = ' "#<>';
  const SPECIAL_QUERY = `${QUERY}'`;
  const PATH = `${QUERY}?^\`{}`;
  const USERINFO = `${PATH}/:;=@[\\]|`;

  const hex = (byte) => `%${byte < 16 ? '0' : ''}${byte.toString(16).toUpperCase()}`;

  function encode(text, set) {
    let out = '';
    for (const c of text) {
      const code = c.codePointAt(0);
      if (code > 0x7e) for (const byte of native.utf8Encode(c)) out += hex(byte);
      else out += code < 0x20 || set.includes(c) ? hex(code) : c;
    }
    return out;
  }

  // Percent-decodes to bytes, then to text.
  function decode(text) {
    if (!text.includes('%')) return text;
    const bytes = native.utf8Encode(text);
    let n = 0;
    for (let i = 0; i < bytes.length; i++, n++) {
      const pair = bytes[i] === 37 ? String.fromCharCode(bytes[i + 1], bytes[i + 2]) : '';
      if (/^[0-9a-fA-F]{2}$/.test(pair)) {
        bytes[n] = parseInt(pair, 16);
        i += 2;
      } else {
        bytes[n] = bytes[i];
      }
    }
    return native.utf8Decode(bytes.subarray(0, n));
  }

  function ipv4Number(text) {
    if (text === '') return NaN;
    if (/^0[xX]/.test(text)) return /^0[xX][0-9a-fA-F]*$/.test(text) ? parseInt(text.slice(2) || '0', 16) : NaN;
    if (text.length > 1 && text[0] === '0') return /^[0-7]+$/.test(text) ? parseInt(text, 8) : NaN;
    return /^[0-9]+$/.test(text) ? parseInt(text, 10) : NaN;
  }

  // An IPv4 address in its usual form, undefined if the host is none, null if it is a wrong one.
  function ipv4(host) {
    const parts = host.split('.');
    if (parts.at(-1) === '' && parts.length > 1) parts.pop();
    const last = parts.at(-1);
    if (!/^[0-9]+$/.test(last) && !/^0[xX][0-9a-fA-F]*$/.test(last)) return undefined;
    if (parts.length > 4) return null;
    const numbers = parts.map(ipv4Number);
    if (numbers.some(Number.isNaN) || numbers.slice(0, -1).some((n) => n > 255)) return null;
    if (numbers.at(-1) >= 256 ** (5 - numbers.length)) return null;
    let address = numbers.at(-1);
    numbers.slice(0, -1).forEach((n, i) => { address += n * 256 ** (3 - i); });
    return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
  }

  function ipv6(text) {
    const halves = text.split('::');
    if (halves.length > 2) return null;
    const pieces = (half) => {
      if (half === '') return [];
      const out = [];
      const parts = half.split(':');
      for (let i = 0; i < parts.length; i++) {
        if (parts[i].includes('.')) {
          const bytes = parts[i].split('.');
          if (i !== parts.length - 1 || bytes.length !== 4 || !bytes.every((b) => /^(0|[1-9]\d{0,2})$/.test(b) && b <= 255)) return null;
          out.push(bytes[0] * 256 + Number(bytes[1]), bytes[2] * 256 + Number(bytes[3]));
        } else if (/^[0-9a-fA-F]{1,4}$/.test(parts[i])) {
          out.push(parseInt(parts[i], 16));
        } else {
          return null;
        }
      }
      return out;
    };
    const head = pieces(halves[0]);
    const tail = halves.length === 2 ? pieces(halves[1]) : [];
    if (head === null || tail === null) return null;
    const missing = 8 - head.length - tail.length;
    if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
    if (halves.length === 2 && halves[0].includes('.')) return null;
    const all = [...head, ...new Array(missing).fill(0), ...tail];
    // The first longest run of two or more zeros is written as "::".
    let best = -1, length = 1;
    for (let i = 0; i < 8; i++) {
      let n = 0;
      while (i + n < 8 && all[i + n] === 0) n++;
      if (n > length) [best, length] = [i, n];
    }
    const write = (list) => list.map((n) => n.toString(16)).join(':');
    return best < 0 ? `[${write(all)}]` : `[${write(all.slice(0, best))}::${write(all.slice(best + length))}]`;
  }

  // The host as it is written in a URL; null if it is wrong.
  function parseHost(text, isSpecial) {
    if (text.startsWith('[')) return text.endsWith(']') ? ipv6(text.slice(1, -1)) : null;
    // eslint-disable-next-line no-control-regex
    if (!isSpecial) return /[\0\t\n\r #/:<>?@[\\\]^|]/.test(text) ? null : encode(text, '');
    const domain = decode(text).toLowerCase().replace(/\u00ad/g, '').replace(/[\u3002\uff0e\uff61]/g, '.');
    // eslint-disable-next-line no-control-regex
    if (domain === '' || /[^\x21-\x7e]|["#%/:<>?@[\\\]^`{|}]/.test(domain)) return null;
    if (domain.split('.').some((label) => label === 'xn--')) return null;
    const address = ipv4(domain);
    return address === undefined ? domain : address;
  }

  const isAlpha = (c) => /^[a-zA-Z]$/.test(c);
  const windowsLetter = (text) => /^[a-zA-Z][:|]$/.test(text);
  const startsWithLetter = (text) => /^[a-zA-Z][:|]([/\\?#]|$)/.test(text);
  const single = (part) => part === '.' || /^%2e$/i.test(part);
  const double = (part) => /^(\.|%2e){2}$/i.test(part);

  function shorten(url) {
    if (url.scheme === 'file:' && url.path.length === 1 && /^[a-zA-Z]:$/.test(url.path[0])) return;
    url.path.pop();
  }

  const empty = () => ({ scheme: '', username: '', password: '', host: null, port: null, path: [], opaque: false, query: null, fragment: null });

  // The basic URL parser. With override it starts in that state and changes url, for
  // the setters. Returns the record, or null on failure.
  function parse(input, base, url, override) {
    if (!url) {
      url = empty();
      // eslint-disable-next-line no-control-regex
      input = input.replace(/^[\0-\x20]+|[\0-\x20]+$/g, '');
    }
    const c = Array.from(input.replace(/[\t\n\r]/g, ''));
    let state = override ?? 'scheme start';
    let buffer = '';
    let at = false, brackets = false, password = false;
    const rest = (i) => c.slice(i).join('');

    for (let i = 0; i <= c.length; i++) {
      const ch = c[i]; // undefined at the end
      switch (state) {
        case 'scheme start':
          if (ch !== undefined && isAlpha(ch)) {
            buffer += ch.toLowerCase();
            state = 'scheme';
          } else if (!override) {
            state = 'no scheme';
            i--;
          } else {
            return null;
          }
          break;
        case 'scheme':
          if (ch !== undefined && /^[a-zA-Z0-9+\-.]$/.test(ch)) {
            buffer += ch.toLowerCase();
          } else if (ch === ':') {
            const scheme = `${buffer}:`;
            if (override) {
              if ((url.scheme in ports) !== (scheme in ports)) return url;
              if ((url.username || url.password || url.port !== null) && scheme === 'file:') return url;
              if (url.scheme === 'file:' && !url.host) return url;
            }
            url.scheme = scheme;
            if (override) {
              if (url.port === ports[scheme]) url.port = null;
              return url;
            }
            buffer = '';
            if (scheme === 'file:') state = 'file';
            else if (special(url) && base && base.scheme === scheme) state = 'special relative or authority';
            else if (special(url)) state = 'special authority slashes';
            else if (c[i + 1] === '/') {
              state = 'path or authority';
              i++;
            } else {
              url.opaque = true;
              url.path = '';
              state = 'opaque path';
            }
          } else if (!override) {
            buffer = '';
            state = 'no scheme';
            i = -1;
          } else {
            return null;
          }
          break;
        case 'no scheme':
          if (!base || (base.opaque && ch !== '#')) return null;
          if (base.opaque) {
            Object.assign(url, { scheme: base.scheme, path: base.path, opaque: true, query: base.query, fragment: '' });
            state = 'fragment';
          } else {
            state = base.scheme === 'file:' ? 'file' : 'relative';
            i--;
          }
          break;
        case 'special relative or authority':
          if (ch === '/' && c[i + 1] === '/') {
            state = 'special authority ignore slashes';
            i++;
          } else {
            state = 'relative';
            i--;
          }
          break;
        case 'path or authority':
          if (ch === '/') {
            state = 'authority';
          } else {
            state = 'path';
            i--;
          }
          break;
        case 'relative':
          url.scheme = base.scheme;
          if (ch === '/' || (special(url) && ch === '\\')) {
            state = 'relative slash';
            break;
          }
          Object.assign(url, { username: base.username, password: base.password, host: base.host, port: base.port,
            path: [...base.path], query: base.query });
          if (ch === '?') {
            url.query = '';
            state = 'query';
          } else if (ch === '#') {
            url.fragment = '';
            state = 'fragment';
          } else if (ch !== undefined) {
            url.query = null;
            shorten(url);
            state = 'path';
            i--;
          }
          break;
        case 'relative slash':
          if (special(url) && (ch === '/' || ch === '\\')) {
            state = 'special authority ignore slashes';
          } else if (ch === '/') {
            state = 'authority';
          } else {
            Object.assign(url, { username: base.username, password: base.password, host: base.host, port: base.port });
            state = 'path';
            i--;
          }
          break;
        case 'special authority slashes':
          if (ch === '/' && c[i + 1] === '/') i++;
          else i--;
          state = 'special authority ignore slashes';
          break;
        case 'special authority ignore slashes':
          if (ch !== '/' && ch !== '\\') {
            state = 'authority';
            i--;
          }
          break;
        case 'authority':
          if (ch === '@') {
            if (at) buffer = `%40${buffer}`;
            at = true;
            for (const each of buffer) {
              if (each === ':' && !password) password = true;
              else if (password) url.password += encode(each, USERINFO);
              else url.username += encode(each, USERINFO);
            }
            buffer = '';
          } else if (ch === undefined || ch === '/' || ch === '?' || ch === '#' || (special(url) && ch === '\\')) {
            if (at && buffer === '') return null;
            i -= Array.from(buffer).length + 1;
            buffer = '';
            state = 'host';
          } else {
            buffer += ch;
          }
          break;
        case 'host':
        case 'hostname':
          if (override && url.scheme === 'file:') {
            state = 'file host';
            i--;
          } else if (ch === ':' && !brackets) {
            if (buffer === '' || override === 'hostname') return null;
            const host = parseHost(buffer, special(url));
            if (host === null) return null;
            url.host = host;
            buffer = '';
            state = 'port';
          } else if (ch === undefined || ch === '/' || ch === '?' || ch === '#' || (special(url) && ch === '\\')) {
            i--;
            if (special(url) && buffer === '') return null;
            if (override && buffer === '' && (url.username || url.password || url.port !== null)) return null;
            const host = buffer === '' ? '' : parseHost(buffer, special(url));
            if (host === null) return null;
            url.host = host;
            buffer = '';
            state = 'path start';
            if (override) return url;
          } else {
            if (ch === '[') brackets = true;
            if (ch === ']') brackets = false;
            buffer += ch;
          }
          break;
        case 'port':
          if (ch !== undefined && /^[0-9]$/.test(ch)) {
            buffer += ch;
          } else if (ch === undefined || ch === '/' || ch === '?' || ch === '#' || (special(url) && ch === '\\') || override) {
            if (buffer !== '') {
              const port = parseInt(buffer, 10);
              if (port > 65535) return null;
              url.port = port === ports[url.scheme] ? null : port;
              buffer = '';
              if (override) return url;
            }
            if (override) return null;
            state = 'path start';
            i--;
          } else {
            return null;
          }
          break;
        case 'file':
          url.scheme = 'file:';
          url.host = '';
          if (ch === '/' || ch === '\\') {
            state = 'file slash';
          } else if (base && base.scheme === 'file:') {
            Object.assign(url, { host: base.host, path: [...base.path], query: base.query });
            if (ch === '?') {
              url.query = '';
              state = 'query';
            } else if (ch === '#') {
              url.fragment = '';
              state = 'fragment';
            } else if (ch !== undefined) {
              url.query = null;
              if (startsWithLetter(rest(i))) url.path = [];
              else shorten(url);
              state = 'path';
              i--;
            }
          } else {
            state = 'path';
            i--;
          }
          break;
        case 'file slash':
          if (ch === '/' || ch === '\\') {
            state = 'file host';
          } else {
            if (base && base.scheme === 'file:') {
              url.host = base.host;
              if (!startsWithLetter(rest(i)) && /^[a-zA-Z]:$/.test(base.path[0] ?? '')) url.path.push(base.path[0]);
            }
            state = 'path';
            i--;
          }
          break;
        case 'file host':
          if (ch === undefined || ch === '/' || ch === '\\' || ch === '?' || ch === '#') {
            i--;
            if (!override && windowsLetter(buffer)) {
              state = 'path';
            } else if (buffer === '') {
              url.host = '';
              if (override) return url;
              state = 'path start';
            } else {
              let host = parseHost(buffer, true);
              if (host === null) return null;
              if (host === 'localhost') host = '';
              url.host = host;
              if (override) return url;
              buffer = '';
              state = 'path start';
            }
          } else {
            buffer += ch;
          }
          break;
        case 'path start':
          if (special(url)) {
            state = 'path';
            if (ch !== '/' && ch !== '\\') i--;
          } else if (!override && ch === '?') {
            url.query = '';
            state = 'query';
          } else if (!override && ch === '#') {
            url.fragment = '';
            state = 'fragment';
          } else if (ch !== undefined) {
            state = 'path';
            if (ch !== '/') i--;
          } else if (override && url.host === null) {
            url.path.push('');
          }
          break;
        case 'path': {
          const slash = ch === '/' || (special(url) && ch === '\\');
          if (ch === undefined || slash || (!override && (ch === '?' || ch === '#'))) {
            if (double(buffer)) {
              shorten(url);
              if (!slash) url.path.push('');
            } else if (single(buffer)) {
              if (!slash) url.path.push('');
            } else {
              if (url.scheme === 'file:' && url.path.length === 0 && windowsLetter(buffer)) buffer = `${buffer[0]}:`;
              url.path.push(buffer);
            }
            buffer = '';
            if (ch === '?') {
              url.query = '';
              state = 'query';
            } else if (ch === '#') {
              url.fragment = '';
              state = 'fragment';
            }
          } else {
            buffer += encode(ch, PATH);
          }
          break;
        }
        case 'opaque path':
          if (ch === '?') {
            url.query = '';
            state = 'query';
          } else if (ch === '#') {
            url.fragment = '';
            state = 'fragment';
          } else if (ch !== undefined) {
            url.path += encode(ch, '');
          }
          break;
        case 'query':
          if (ch === undefined || (!override && ch === '#')) {
            url.query += encode(buffer, special(url) ? SPECIAL_QUERY : QUERY);
            buffer = '';
            if (ch === '#') {
              url.fragment = '';
              state = 'fragment';
            }
          } else {
            buffer += ch;
          }
          break;
        case 'fragment':
          url.fragment += encode(rest(i), FRAGMENT);
          i = c.length;
          break;
        default:
          throw new Error(`no such state: ${state}`);
      }
    }
    return url;
  }

  const pathOf = (url) => (url.opaque ? url.path : url.path.map((part) => `/${part}`).join(''));

  function serialize(url, withFragment = true) {
    let text = url.scheme;
    if (url.host !== null) {
      text += '//';
      if (url.username || url.password) text += `${url.username}${url.password ? `:${url.password}` : ''}@`;
      text += url.host + (url.port === null ? '' : `:${url.port}`);
    } else if (!url.opaque && url.path.length > 1 && url.path[0] === '') {
      text += '/.';
    }
    text += pathOf(url);
    if (url.query !== null) text += `?${url.query}`;
    if (withFragment && url.fragment !== null) text += `#${url.fragment}`;
    return text;
  }

  // application/x-www-form-urlencoded

  function parseForm(text) {
    const pairs = [];
    for (const part of text.split('&')) {
      if (part === '') continue;
      const i = part.indexOf('=');
      const name = i < 0 ? part : part.slice(0, i);
      const value = i < 0 ? '' : part.slice(i + 1);
      pairs.push([decode(name.replaceAll('+', ' ')), decode(value.replaceAll('+', ' '))]);
    }
    return pairs;
  }

  function encodeForm(text) {
    let out = '';
    for (const byte of native.utf8Encode(text)) {
      const c = String.fromCharCode(byte);
      out += c === ' ' ? '+' : /[a-zA-Z0-9*\-._]/.test(c) ? c : hex(byte);
    }
    return out;
  }

  const writeForm = (pairs) => pairs.map(([name, value]) => `${encodeForm(name)}=${encodeForm(value)}`).join('&');
  const usv = (value) => `${value}`.toWellFormed();

  class URLSearchParams {
    #pairs = [];
    #url = null;
    constructor(init = '') {
      if (init === null || init === undefined) return;
      if (typeof init === 'object' || typeof init === 'function') {
        if (typeof init[Symbol.iterator] === 'function') {
          for (const pair of init) {
            const [...both] = pair;
            if (both.length !== 2) {
              throw internal.coded(TypeError, 'ERR_INVALID_TUPLE', 'Each query pair must be an iterable [name, value] tuple');
            }
            this.#pairs.push([usv(both[0]), usv(both[1])]);
          }
        } else {
          for (const name of Reflect.ownKeys(init)) {
            if (Object.getOwnPropertyDescriptor(init, name)?.enumerable) this.#pairs.push([usv(name), usv(init[name])]);
          }
        }
      } else {
        const text = usv(init);
        this.#pairs = parseForm(text.startsWith('?') ? text.slice(1) : text);
      }
    }
    #changed() {
      if (this.#url) {
        const query = writeForm(this.#pairs);
        this.#url.query = query === '' ? null : query;
      }
    }
    get size() { return this.#pairs.length; }
    append(name, value) {
      this.#pairs.push([usv(name), usv(value)]);
      this.#changed();
    }
    delete(name, value) {
      name = usv(name);
      this.#pairs = this.#pairs.filter((pair) => pair[0] !== name || (value !== undefined && pair[1] !== usv(value)));
      this.#changed();
    }
    get(name) {
      name = usv(name);
      return this.#pairs.find((pair) => pair[0] === name)?.[1] ?? null;
    }
    getAll(name) {
      name = usv(name);
      return this.#pairs.filter((pair) => pair[0] === name).map((pair) => pair[1]);
    }
    has(name, value) {
      name = usv(name);
      return this.#pairs.some((pair) => pair[0] === name && (value === undefined || pair[1] === usv(value)));
    }
    set(name, value) {
      name = usv(name);
      const first = this.#pairs.find((pair) => pair[0] === name);
      if (first) {
        first[1] = usv(value);
        this.#pairs = this.#pairs.filter((pair) => pair === first || pair[0] !== name);
      } else {
        this.#pairs.push([name, usv(value)]);
      }
      this.#changed();
    }
    sort() {
      this.#pairs.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
      this.#changed();
    }
    forEach(callback, self) {
      if (typeof callback !== 'function') throw new TypeError('The "callback" argument must be of type function');
      for (let i = 0; i < this.#pairs.length; i++) callback.call(self, this.#pairs[i][1], this.#pairs[i][0], this);
    }
    * entries() { for (let i = 0; i < this.#pairs.length; i++) yield [...this.#pairs[i]]; }
    * keys() { for (let i = 0; i < this.#pairs.length; i++) yield this.#pairs[i][0]; }
    * values() { for (let i = 0; i < this.#pairs.length; i++) yield this.#pairs[i][1]; }
    toString() { return writeForm(this.#pairs); }
    [Symbol.for('nodejs.util.inspect.custom')](depth, options, inspect) {
      const parts = this.#pairs.map(([name, value]) => `${inspect(name)} => ${inspect(value)}`);
      return `URLSearchParams {${parts.length ? ` ${parts.join(', ')} ` : ''}}`;
    }
    // The parameters of a URL: what changes there is seen here, and the other way round.
    static {
      internal.bindParams = (params, url) => {
        params.#url = url;
        params.#pairs = url.query === null ? [] : parseForm(url.query);
        return params;
      };
    }
  }
  internal.define(URLSearchParams.prototype, { [Symbol.iterator]: URLSearchParams.prototype.entries });
  internal.tag(URLSearchParams, 'URLSearchParams');
  const { bindParams } = internal;

  class URL {
    #url;
    #params;
    constructor(input, base) {
      if (arguments.length === 0) throw internal.coded(TypeError, 'ERR_MISSING_ARGS', 'The "url" argument must be specified');
      this.#url = toRecord(`${input}`, base);
      if (!this.#url) {
        const error = internal.coded(TypeError, 'ERR_INVALID_URL', 'Invalid URL');
        error.input = `${input}`;
        if (base !== undefined) error.base = `${base}`;
        throw error;
      }
    }
    static canParse(input, base) { return toRecord(`${input}`, base) !== null; }
    static parse(input, base) { return URL.canParse(input, base) ? new URL(input, base) : null; }

    get href() { return serialize(this.#url); }
    set href(value) {
      const url = toRecord(`${value}`);
      if (!url) throw Object.assign(internal.coded(TypeError, 'ERR_INVALID_URL', 'Invalid URL'), { input: `${value}` });
      Object.assign(this.#url, url);
      this.#sync();
    }
    get origin() {
      const { scheme, host, port } = this.#url;
      if (scheme === 'blob:') {
        const inner = toRecord(pathOf(this.#url));
        return inner && /^https?:$/.test(inner.scheme) ? new URL(serialize(inner)).origin : 'null';
      }
      return scheme in ports && scheme !== 'file:' ? `${scheme}//${host}${port === null ? '' : `:${port}`}` : 'null';
    }
    get protocol() { return this.#url.scheme; }
    set protocol(value) { parse(`${value}:`, null, this.#url, 'scheme start'); }
    get username() { return this.#url.username; }
    set username(value) { if (this.#hasAuthority()) this.#url.username = encode(`${value}`, USERINFO); }
    get password() { return this.#url.password; }
    set password(value) { if (this.#hasAuthority()) this.#url.password = encode(`${value}`, USERINFO); }
    get host() {
      const { host, port } = this.#url;
      return host === null ? '' : host + (port === null ? '' : `:${port}`);
    }
    set host(value) { this.#change(`${value}`, 'host'); }
    get hostname() { return this.#url.host ?? ''; }
    set hostname(value) { this.#change(`${value}`, 'hostname'); }
    get port() { return this.#url.port === null ? '' : String(this.#url.port); }
    set port(value) {
      if (!this.#hasAuthority()) return;
      if (`${value}` === '') this.#url.port = null;
      else this.#change(`${value}`, 'port');
    }
    get pathname() { return pathOf(this.#url); }
    set pathname(value) {
      if (this.#url.opaque) return;
      this.#url.path = [];
      parse(`${value}`, null, this.#url, 'path start');
    }
    get search() { return this.#url.query ? `?${this.#url.query}` : ''; }
    set search(value) {
      const text = `${value}`;
      this.#url.query = null;
      if (text !== '') {
        this.#url.query = '';
        parse(text.startsWith('?') ? text.slice(1) : text, null, this.#url, 'query');
      }
      this.#sync();
    }
    get searchParams() {
      this.#params ??= bindParams(new URLSearchParams(), this.#url);
      return this.#params;
    }
    get hash() { return this.#url.fragment ? `#${this.#url.fragment}` : ''; }
    set hash(value) {
      const text = `${value}`;
      this.#url.fragment = null;
      if (text !== '') {
        this.#url.fragment = '';
        parse(text.startsWith('#') ? text.slice(1) : text, null, this.#url, 'fragment');
      }
    }
    toString() { return serialize(this.#url); }
    toJSON() { return serialize(this.#url); }

    #hasAuthority() { return Boolean(this.#url.host) && this.#url.scheme !== 'file:'; }
    #sync() { if (this.#params) bindParams(this.#params, this.#url); }
    // A setter that fails leaves the URL as it was.
    #change(value, state) {
      if (this.#url.opaque) return;
      const copy = { ...this.#url, path: [...this.#url.path] };
      if (parse(value, null, copy, state)) Object.assign(this.#url, copy);
      else if (state === 'host' && copy.host !== this.#url.host) this.#url.host = copy.host; // a wrong port after a good host
    }

    [Symbol.for('nodejs.util.inspect.custom')](depth, options, inspect) {
      if (depth < 0) return '[URL]';
      const members = {};
      for (const name of ['href', 'origin', 'protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname',
        'search', 'searchParams', 'hash']) members[name] = this[name];
      return `URL ${inspect(members, options)}`;
    }
  }
  internal.tag(URL, 'URL');

  function toRecord(input, base) {
    let from = null;
    if (base !== undefined) {
      from = parse(usv(base));
      if (!from) return null;
    }
    return parse(usv(input), from);
  }
  for (const name of ['href', 'origin', 'protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname',
    'search', 'searchParams', 'hash', 'toString', 'toJSON']) {
    Object.defineProperty(URL.prototype, name, { enumerable: true });
  }

  internal.define(globalThis, { URL, URLSearchParams });
})
