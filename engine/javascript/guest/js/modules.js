// Modules: how names are resolved (Node's algorithm) and CommonJS. ES modules are
// QuickJS' own; src/modules.c asks resolveImport and loadImport here.
(function (native, internal) {
  'use strict';

  const FILE = 'file://';

  // A path without ".", ".." and double slashes, from the last absolute part on.
  internal.resolvePath = (...parts) => {
    let path = '';
    for (let i = parts.length - 1; i >= 0 && !path.startsWith('/'); i--) {
      if (parts[i] !== '') path = path === '' ? parts[i] : `${parts[i]}/${path}`;
    }
    if (!path.startsWith('/')) path = `/var/task/${path}`;
    const out = [];
    for (const part of path.split('/')) {
      if (part === '..') out.pop();
      else if (part !== '' && part !== '.') out.push(part);
    }
    return `/${out.join('/')}`;
  };
  const resolvePath = internal.resolvePath;
  const dirname = (path) => path.slice(0, path.lastIndexOf('/')) || '/';
  const isFile = (path) => native.stat(path)?.file === true;
  const isDirectory = (path) => native.stat(path)?.directory === true;

  function readText(path) {
    const bytes = native.readFile(path);
    if (typeof bytes === 'string') {
      throw internal.coded(Error, bytes, `${bytes}: cannot read '${path}'`);
    }
    return native.utf8Decode(bytes).replace(/^\uFEFF/, '');
  }

  // package.json of a folder, undefined if there is none. Kept: they do not change.
  const packages = new Map();
  function packageOf(folder) {
    if (packages.has(folder)) return packages.get(folder);
    let found;
    if (isFile(`${folder}/package.json`)) {
      try {
        found = JSON.parse(readText(`${folder}/package.json`));
      } catch (error) {
        throw internal.coded(Error, 'ERR_INVALID_PACKAGE_CONFIG',
          `Invalid package config ${folder}/package.json: ${error.message}`);
      }
      if (found === null || typeof found !== 'object') found = undefined;
    }
    packages.set(folder, found);
    return found;
  }

  // The nearest package.json above a file, as [folder, package].
  function scopeOf(path) {
    for (let folder = dirname(path); ; folder = dirname(folder)) {
      if (folder.endsWith('/node_modules')) return [folder, undefined];
      const found = packageOf(folder);
      if (found) return [folder, found];
      if (folder === '/') return [folder, undefined];
    }
  }

  // Whether a file is an ES module. Where no package.json says so, one that is no
  // CommonJS for its syntax is, as in Node.
  const detected = new Map();
  function isES(path) {
    if (path.endsWith('.mjs')) return true;
    if (!path.endsWith('.js')) return false;
    const type = scopeOf(path)[1]?.type;
    if (type === 'module' || type === 'commonjs') return type === 'module';
    if (!detected.has(path)) detected.set(path, native.hasModuleSyntax(source(path), path));
    return detected.get(path);
  }

  function withExtension(path) {
    if (isFile(path)) return path;
    for (const extension of ['.js', '.json', '.mjs', '.cjs']) {
      if (isFile(path + extension)) return path + extension;
    }
    return undefined;
  }

  function asFolder(path) {
    if (!isDirectory(path)) return undefined;
    const main = packageOf(path)?.main;
    if (typeof main === 'string' && main !== '') {
      const target = resolvePath(path, main);
      const found = withExtension(target) ?? withExtension(`${target}/index`);
      if (found) return found;
    }
    return withExtension(`${path}/index`);
  }

  // The target of an exports or imports entry under the conditions. null is "not exported".
  function target(value, star, conditions) {
    if (typeof value === 'string') return star === undefined ? value : value.replaceAll('*', star);
    if (Array.isArray(value)) {
      for (const each of value) {
        const found = target(each, star, conditions);
        if (typeof found === 'string') return found;
      }
      return undefined;
    }
    if (value !== null && typeof value === 'object') {
      for (const condition in value) {
        if (condition !== 'default' && !conditions.includes(condition)) continue;
        const found = target(value[condition], star, conditions);
        if (found !== undefined) return found;
      }
      return undefined;
    }
    return value === null ? null : undefined;
  }

  // Looks a subpath up in a table of exports or imports: an exact entry, or the
  // longest pattern.
  function match(table, name, conditions) {
    if (Object.hasOwn(table, name) && !name.includes('*')) return target(table[name], undefined, conditions);
    let best, star;
    for (const pattern in table) {
      const at = pattern.indexOf('*');
      if (at < 0) continue;
      const head = pattern.slice(0, at);
      const tail = pattern.slice(at + 1);
      if (name.length >= pattern.length && name.startsWith(head) && name.endsWith(tail) &&
          (best === undefined || at > best.indexOf('*'))) {
        best = pattern;
        star = name.slice(at, name.length - tail.length);
      }
    }
    return best === undefined ? undefined : target(table[best], star, conditions);
  }

  function fromPackage(folder, subpath, conditions) {
    const found = packageOf(folder);
    const { exports } = found ?? {};
    if (exports === undefined || exports === null) {
      const path = subpath === '.' ? folder : resolvePath(folder, subpath);
      return (subpath === '.' ? undefined : withExtension(path)) ?? asFolder(path);
    }
    const subpaths = typeof exports === 'object' && !Array.isArray(exports) &&
      Object.keys(exports).some((key) => key.startsWith('.'));
    const path = match(subpaths ? exports : { '.': exports }, subpath, conditions);
    if (typeof path !== 'string') {
      throw internal.coded(Error, 'ERR_PACKAGE_PATH_NOT_EXPORTED', subpath === '.'
        ? `No "exports" main defined in ${folder}/package.json`
        : `Package subpath '${subpath}' is not defined by "exports" in ${folder}/package.json`);
    }
    const file = resolvePath(folder, path);
    return isFile(file) ? file : undefined;
  }

  function notFound(name, parent, code, hint) {
    const from = parent ? parent.replace(FILE, '') : '/var/task';
    const builtin = /^(node:)?(assert|async_hooks|child_process|cluster|crypto|dgram|diagnostics_channel|dns|domain|fs|http|http2|https|inspector|module|net|os|perf_hooks|process|punycode|querystring|readline|repl|sqlite|stream|string_decoder|test|timers|tls|trace_events|tty|url|util|v8|vm|wasi|worker_threads|zlib)(\/|$)/.test(name);
    if (builtin) {
      const module = name.replace('node:', '');
      hint = /^(http|https|http2|net|tls|dns|dgram)/.test(module)
        ? 'this runtime has no sockets: use the global fetch()'
        : name.endsWith('.node') ? 'native add-ons cannot be loaded' : 'this runtime does not have this part of Node.js';
      const error = internal.coded(Error, code, `Cannot find module '${name}' (${hint})\nRequire stack:\n- ${from}`);
      error.requireStack = [from];
      return error;
    }
    if (code === 'ERR_MODULE_NOT_FOUND') {
      const what = /^[./]|^file:/.test(name) ? `module '${resolvePath(dirname(from), name.replace(FILE, ''))}'` : `package '${name}'`;
      return internal.coded(Error, code, `Cannot find ${what} imported from ${from}`);
    }
    const error = internal.coded(Error, code, `Cannot find module '${name}'\nRequire stack:\n- ${from}`);
    error.requireStack = [from];
    return error;
  }

  // The file that a name means in a file of a folder; the name of a built-in module
  // as "node:x"; undefined if there is none.
  function resolve(name, folder, conditions) {
    if (name.startsWith('node:')) return internal.builtins[name.slice(5)] ? name : undefined;
    if (internal.builtins[name]) return `node:${name}`;
    if (name.startsWith(FILE)) name = decodeURIComponent(name.slice(FILE.length));
    if (name.startsWith('/') || /^\.\.?(\/|$)/.test(name)) {
      const path = resolvePath(folder, name);
      return (name.endsWith('/') ? undefined : withExtension(path)) ?? asFolder(path);
    }
    if (name.startsWith('#')) {
      const [scope, found] = scopeOf(`${folder}/x`);
      const path = found?.imports && match(found.imports, name, conditions);
      if (typeof path !== 'string') return undefined;
      return path.startsWith('.') ? withExtension(resolvePath(scope, path)) : resolve(path, scope, conditions);
    }
    const parts = name.split('/');
    const owner = name.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0];
    const rest = name.slice(owner.length);
    const subpath = rest === '' ? '.' : `.${rest}`;
    const [scope, self] = scopeOf(`${folder}/x`);
    if (self?.name === owner && self.exports) return fromPackage(scope, subpath, conditions);
    for (let at = folder; ; at = dirname(at)) {
      if (!at.endsWith('/node_modules')) {
        const candidate = `${at === '/' ? '' : at}/node_modules/${owner}`;
        if (isDirectory(candidate)) {
          const found = fromPackage(candidate, subpath, conditions);
          if (found) return found;
        }
      }
      if (at === '/') return fromNodePath(name, owner, subpath, conditions);
    }
  }

  // NODE_PATH, which on AWS Lambda leads to the layers. Node.js asks it for require
  // only; AWS says that layers are for import too, so here it holds for both.
  function fromNodePath(name, owner, subpath, conditions) {
    for (const folder of internal.nodePath) {
      const candidate = `${folder}/${owner}`;
      const found = (isDirectory(candidate) ? fromPackage(candidate, subpath, conditions) : undefined) ??
        withExtension(`${folder}/${name}`);
      if (found) return found;
    }
    return undefined;
  }

  const REQUIRE = ['node', 'require', 'module-sync', 'node-addons'];
  const IMPORT = ['node', 'import', 'module-sync', 'node-addons'];

  // CommonJS.

  const cache = Object.create(null);

  class Module {
    constructor(id, parent) {
      this.id = id;
      this.path = dirname(id);
      this.exports = {};
      this.filename = id;
      this.loaded = false;
      this.children = [];
      this.paths = [];
      for (let at = this.path; ; at = dirname(at)) {
        if (!at.endsWith('/node_modules')) this.paths.push(`${at === '/' ? '' : at}/node_modules`);
        if (at === '/') break;
      }
      Object.defineProperty(this, 'parent', { value: parent, configurable: true });
      parent?.children.push(this);
    }
    require(name) { return requireFrom(name, this); }
  }

  function requireFrom(name, parent) {
    if (typeof name !== 'string' || name === '') {
      throw internal.coded(TypeError, 'ERR_INVALID_ARG_TYPE', 'The "id" argument must be a non-empty string');
    }
    const path = resolve(name, parent.path, REQUIRE);
    if (path === undefined) throw notFound(name, parent.filename, 'MODULE_NOT_FOUND');
    return loadFile(path, parent);
  }

  function loadFile(path, parent) {
    if (path.startsWith('node:')) return internal.builtin(path.slice(5));
    if (cache[path]) return cache[path].exports;
    if (path.endsWith('.node')) {
      throw internal.coded(Error, 'MODULE_NOT_FOUND',
        `Cannot find module '${path}' (native add-ons cannot be loaded: use a package that is JavaScript only)`);
    }
    const module = new Module(path, parent);
    cache[path] = module;
    let done = false;
    try {
      if (path.endsWith('.json')) {
        try {
          module.exports = JSON.parse(readText(path));
        } catch (error) {
          error.message = `${path}: ${error.message}`;
          throw error;
        }
      } else if (isES(path)) {
        const namespace = native.requireModule(FILE + path, source(path));
        if (namespace === undefined) {
          throw internal.coded(Error, 'ERR_REQUIRE_ASYNC_MODULE',
            `require() cannot be used on an ES module with top-level await: ${path}. Use import() instead.`);
        }
        module.exports = 'module.exports' in namespace ? namespace['module.exports'] : namespace;
      } else {
        const wrapper = native.compileFunction(source(path), path);
        wrapper.call(module.exports, module.exports, makeRequire(module), module, path, module.path);
      }
      done = true;
    } finally {
      if (!done) delete cache[path];
    }
    module.loaded = true;
    return module.exports;
  }

  function source(path) {
    const bytes = native.readFile(path);
    if (typeof bytes === 'string') throw internal.coded(Error, bytes, `${bytes}: cannot read '${path}'`);
    return bytes;
  }

  function makeRequire(module) {
    const require = (name) => requireFrom(name, module);
    require.resolve = (name, options) => {
      const folders = options?.paths ?? [module.path];
      for (const folder of folders) {
        const path = resolve(String(name), resolvePath(folder), REQUIRE);
        if (path !== undefined) return path.startsWith('node:') && !String(name).startsWith('node:') ? path.slice(5) : path;
      }
      throw notFound(name, module.filename, 'MODULE_NOT_FOUND');
    };
    require.resolve.paths = () => module.paths;
    require.cache = cache;
    require.main = undefined;
    require.extensions = Object.create(null);
    return require;
  }

  internal.createRequire = (from) => {
    const path = String(from).replace(FILE, '');
    return makeRequire(new Module(path.endsWith('/') ? `${path}noop.js` : path));
  };

  // ES modules.

  internal.resolveImport = (name, base) => {
    if (name.startsWith('data:') || /^https?:/.test(name)) {
      throw internal.coded(Error, 'ERR_UNSUPPORTED_ESM_URL_SCHEME', `Only file and node URLs can be imported, not '${name}'`);
    }
    const from = base.startsWith(FILE) ? base.slice(FILE.length) : base.startsWith('/') ? base : '/var/task/index.mjs';
    const path = resolve(name, dirname(from), IMPORT);
    if (path === undefined) throw notFound(name, from, 'ERR_MODULE_NOT_FOUND');
    return path.startsWith('node:') ? path : FILE + path;
  };

  const identifier = /^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*$/u;

  // Bytes of an ES module, or the exports of any other as an object.
  internal.loadImport = (url) => {
    if (url.startsWith(FILE)) {
      const path = url.slice(FILE.length);
      if (isES(path)) return source(path);
    }
    const exports = loadFile(url.startsWith(FILE) ? url.slice(FILE.length) : url, undefined);
    const named = { __proto__: null };
    if (exports !== null && (typeof exports === 'object' || typeof exports === 'function') && !url.endsWith('.json')) {
      for (const name of Object.keys(exports)) {
        if (identifier.test(name)) named[name] = exports[name];
      }
      if (exports.__esModule === true) named.__esModule = true;
    }
    named.default = exports;
    named['module.exports'] = exports;
    return named;
  };

  // The module of the handler, in the order in which AWS Lambda looks for it.
  internal.loadHandlerModule = async (path, name) => {
    if (isFile(path)) return loadFile(path, undefined);
    if (isFile(`${path}.js`)) return isES(`${path}.js`) ? native.importModule(`${FILE}${path}.js`) : loadFile(`${path}.js`, undefined);
    if (isFile(`${path}.mjs`)) return native.importModule(`${FILE}${path}.mjs`);
    if (isFile(`${path}.cjs`)) return loadFile(`${path}.cjs`, undefined);
    const found = resolve(name, dirname(path), REQUIRE) ?? resolve(name, '/var/task', REQUIRE) ?? asFolder(path);
    if (found === undefined || found.startsWith('node:')) {
      throw internal.coded(Error, 'MODULE_NOT_FOUND', `Cannot find module '${name}'\nRequire stack:\n- /var/task`);
    }
    return isES(found) ? native.importModule(FILE + found) : loadFile(found, undefined);
  };
})
