// fetch, Headers, Request and Response (Fetch Standard) over the engine's http call.
// Bodies are whole: there are no streams.
(function (native, internal) {
  'use strict';

  const token = /^[!#$%&'*+\-.^_`|~A-Za-z0-9]+$/;

  function headerName(name) {
    name = `${name}`;
    if (!token.test(name)) throw new TypeError(`Headers: ${JSON.stringify(name)} is an invalid header name.`);
    return name.toLowerCase();
  }
  function headerValue(value) {
    value = `${value}`.replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, '');
    // eslint-disable-next-line no-control-regex
    if (/[\0\n\r]|[^\0-\xff]/.test(value)) throw new TypeError(`Headers: ${JSON.stringify(value)} is an invalid header value.`);
    return value;
  }

  class Headers {
    #map = new Map(); // lower-case name -> list of values
    constructor(init) {
      if (init === undefined || init === null) return;
      if (typeof init !== 'object') throw new TypeError('Headers: the init must be an object or a sequence of pairs');
      if (typeof init[Symbol.iterator] === 'function') {
        for (const pair of init) {
          const [...both] = pair;
          if (both.length !== 2) throw new TypeError('Headers: expected name/value pair to be length 2');
          this.append(both[0], both[1]);
        }
      } else {
        for (const name of Reflect.ownKeys(init)) this.append(name, init[name]);
      }
    }
    append(name, value) {
      name = headerName(name);
      const list = this.#map.get(name);
      if (list) list.push(headerValue(value));
      else this.#map.set(name, [headerValue(value)]);
    }
    delete(name) { this.#map.delete(headerName(name)); }
    get(name) { return this.#map.get(headerName(name))?.join(', ') ?? null; }
    has(name) { return this.#map.has(headerName(name)); }
    set(name, value) { this.#map.set(headerName(name), [headerValue(value)]); }
    getSetCookie() { return [...(this.#map.get('set-cookie') ?? [])]; }
    forEach(callback, self) { for (const [name, value] of this) callback.call(self, value, name, this); }
    * entries() {
      for (const name of [...this.#map.keys()].sort()) {
        if (name === 'set-cookie') for (const value of this.#map.get(name)) yield [name, value];
        else yield [name, this.#map.get(name).join(', ')];
      }
    }
    * keys() { for (const [name] of this.entries()) yield name; }
    * values() { for (const [, value] of this.entries()) yield value; }
    [Symbol.for('nodejs.util.inspect.custom')](depth, options, inspect) {
      return `Headers ${inspect(Object.fromEntries(this), options)}`;
    }
  }
  internal.define(Headers.prototype, { [Symbol.iterator]: Headers.prototype.entries });
  internal.tag(Headers, 'Headers');

  // The bytes of a body and the content type that goes with it.
  function extract(body) {
    if (body === null || body === undefined) return [null, null];
    if (typeof body === 'string') return [native.utf8Encode(body), 'text/plain;charset=UTF-8'];
    if (body instanceof URLSearchParams) {
      return [native.utf8Encode(body.toString()), 'application/x-www-form-urlencoded;charset=UTF-8'];
    }
    if (ArrayBuffer.isView(body) || internal.is.arrayBuffer(body)) return [internal.bytesOf(body, 'body').slice(), null];
    return [native.utf8Encode(String(body)), 'text/plain;charset=UTF-8'];
  }

  class Body {
    #bytes = null;
    #used = false;
    get bodyUsed() { return this.#used; }
    // There are no streams: what is there can be read once, by "for await".
    get body() {
      if (this.#bytes === null) return null;
      const take = () => this.#take();
      return { async * [Symbol.asyncIterator]() { yield take(); } };
    }
    #take() {
      if (this.#used) throw new TypeError('Body is unusable: Body has already been read');
      if (this.#bytes === null) return new Uint8Array(0);
      this.#used = true;
      return this.#bytes;
    }
    async arrayBuffer() { return this.#take().slice().buffer; }
    async bytes() { return this.#take().slice(); }
    async text() { return native.utf8Decode(this.#take()).replace(/^\uFEFF/, ''); }
    async json() { return JSON.parse(native.utf8Decode(this.#take()).replace(/^\uFEFF/, '')); }
    async blob() { throw new TypeError('Blob is not part of this runtime: use arrayBuffer()'); }
    async formData() { throw new TypeError('FormData is not part of this runtime: use text() and URLSearchParams'); }
    static {
      internal.setBody = (body, bytes) => { body.#bytes = bytes; };
      internal.takeBody = (body) => (body.#bytes === null ? null : body.#take());
      internal.peekBody = (body) => {
        if (body.#used) throw new TypeError('Response.clone: Body has already been consumed.');
        return body.#bytes;
      };
    }
  }
  const { setBody, takeBody, peekBody } = internal;

  const known = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT'];

  class Request extends Body {
    #method; #url; #headers; #signal; #options;
    constructor(input, init = {}) {
      super();
      init ??= {};
      const from = input instanceof Request ? input : null;
      if (from) {
        this.#url = from.url;
      } else {
        const url = URL.parse(input);
        if (!url) throw new TypeError(`Failed to parse URL from ${input}`);
        if (url.username || url.password) throw new TypeError(`Request cannot be constructed from a URL that includes credentials: ${input}`);
        this.#url = url.href;
      }
      const method = `${init.method ?? from?.method ?? 'GET'}`;
      if (!token.test(method)) throw new TypeError(`'${method}' is not a valid HTTP method.`);
      this.#method = known.includes(method.toUpperCase()) ? method.toUpperCase() : method;
      this.#headers = new Headers(init.headers ?? from?.headers);
      this.#signal = init.signal ?? from?.signal ?? new AbortController().signal;
      this.#options = { redirect: init.redirect ?? from?.redirect ?? 'follow' };
      let [bytes, type] = extract(init.body);
      if (bytes === null && from) bytes = takeBody(from);
      if (bytes !== null && (this.#method === 'GET' || this.#method === 'HEAD')) {
        throw new TypeError('Request with GET/HEAD method cannot have body.');
      }
      setBody(this, bytes);
      if (type !== null && !this.#headers.has('content-type')) this.#headers.set('content-type', type);
    }
    get method() { return this.#method; }
    get url() { return this.#url; }
    get headers() { return this.#headers; }
    get signal() { return this.#signal; }
    get redirect() { return this.#options.redirect; }
    get cache() { return 'default'; }
    get credentials() { return 'same-origin'; }
    get mode() { return 'cors'; }
    get keepalive() { return false; }
    clone() {
      const bytes = peekBody(this);
      const copy = new Request(this.#url, { method: this.#method, headers: this.#headers, signal: this.#signal, redirect: this.redirect });
      setBody(copy, bytes);
      return copy;
    }
  }
  internal.tag(Request, 'Request');

  const bodiless = [101, 204, 205, 304];

  class Response extends Body {
    #status; #statusText; #headers;
    #url = '';
    #type = 'default';
    #redirected = false;
    constructor(body = null, init = {}) {
      super();
      const status = init?.status ?? 200;
      if (!(status >= 200 && status <= 599)) throw new RangeError('init["status"] must be in the range of 200 to 599, inclusive.');
      this.#status = Math.trunc(status);
      this.#statusText = `${init?.statusText ?? ''}`;
      this.#headers = new Headers(init?.headers);
      const [bytes, type] = extract(body);
      if (bytes !== null && bodiless.includes(this.#status)) {
        throw new TypeError(`Response with null body status cannot have body`);
      }
      setBody(this, bytes);
      if (type !== null && !this.#headers.has('content-type')) this.#headers.set('content-type', type);
    }
    get status() { return this.#status; }
    get statusText() { return this.#statusText; }
    get ok() { return this.#status >= 200 && this.#status <= 299; }
    get headers() { return this.#headers; }
    get url() { return this.#url; }
    get type() { return this.#type; }
    get redirected() { return this.#redirected; }
    clone() {
      const bytes = peekBody(this);
      const copy = new Response(null, { status: this.#status, statusText: this.#statusText, headers: this.#headers });
      setBody(copy, bytes);
      copy.#url = this.#url;
      copy.#type = this.#type;
      return copy;
    }
    static json(value, init = {}) {
      const text = JSON.stringify(value);
      if (text === undefined) throw new TypeError('Value is not JSON serializable');
      const response = new Response(text, init);
      if (!new Headers(init?.headers).has('content-type')) response.#headers.set('content-type', 'application/json');
      return response;
    }
    static error() {
      const response = new Response(null);
      response.#type = 'error';
      response.#status = 0;
      return response;
    }
    static redirect(url, status = 302) {
      if (![301, 302, 303, 307, 308].includes(status)) throw new RangeError(`Invalid status code ${status}`);
      return new Response(null, { status, headers: { location: new URL(url).href } });
    }
    static {
      internal.received = (url, reply) => {
        const response = new Response(null, { status: Math.max(reply.status, 200) });
        response.#status = reply.status;
        response.#statusText = statusTexts[reply.status] ?? '';
        response.#url = url;
        response.#type = 'basic';
        for (const [name, values] of Object.entries(reply.headers)) {
          for (const value of Array.isArray(values) ? values : [values]) response.#headers.append(name, value);
        }
        setBody(response, bodiless.includes(reply.status) ? null : reply.body);
        return response;
      };
    }
  }
  internal.tag(Response, 'Response');

  const statusTexts = { 200: 'OK', 201: 'Created', 202: 'Accepted', 204: 'No Content', 206: 'Partial Content',
    301: 'Moved Permanently', 302: 'Found', 303: 'See Other', 304: 'Not Modified', 307: 'Temporary Redirect',
    308: 'Permanent Redirect', 400: 'Bad Request', 401: 'Unauthorized', 403: 'Forbidden', 404: 'Not Found',
    405: 'Method Not Allowed', 409: 'Conflict', 410: 'Gone', 413: 'Payload Too Large', 415: 'Unsupported Media Type',
    418: "I'm a Teapot", 422: 'Unprocessable Entity', 429: 'Too Many Requests', 500: 'Internal Server Error',
    501: 'Not Implemented', 502: 'Bad Gateway', 503: 'Service Unavailable', 504: 'Gateway Timeout', __proto__: null };
  internal.statusTexts = statusTexts;

  async function fetch(input, init) {
    const request = new Request(input, init);
    request.signal.throwIfAborted();
    const url = new URL(request.url);
    if (url.protocol === 'data:') return fromData(url);
    if (url.protocol !== 'http:' && url.protocol !== 'https:') {
      throw new TypeError('fetch failed', { cause: new Error(`unknown scheme ${url.protocol}`) });
    }
    url.hash = '';
    let reply;
    try {
      reply = internal.http(request.method, url.href, request.headers, takeBody(request));
    } catch (error) {
      if (error.name === 'HTTPError') throw new TypeError('fetch failed', { cause: error });
      throw error; // what is not allowed says so itself
    }
    return internal.received(url.href, reply);
  }

  function fromData(url) {
    const found = /^([^,]*?)(;\s*base64)?,(.*)$/s.exec(url.href.slice(5).replace(/#.*$/s, ''));
    if (!found) throw new TypeError('fetch failed', { cause: new Error('invalid data: URL') });
    const text = unescapeBytes(found[3]);
    const bytes = found[2] ? native.base64Decode(native.latin1Decode(text), true) : text;
    if (bytes === undefined) throw new TypeError('fetch failed', { cause: new Error('invalid data: URL') });
    return internal.received(url.href, { status: 200, headers: { 'content-type': [found[1] || 'text/plain;charset=US-ASCII'] }, body: bytes });
  }

  function unescapeBytes(text) {
    return native.latin1Encode(native.latin1Decode(native.utf8Encode(text))
      .replace(/%([0-9a-fA-F]{2})/g, (all, code) => String.fromCharCode(parseInt(code, 16))));
  }

  internal.define(globalThis, { fetch, Headers, Request, Response });
})
