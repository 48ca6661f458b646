package gateway

import "bytes"

// maxLabel bounds one label of a host name (RFC 1035).
const maxLabel = 63

// Prefixes of the paths at which APIs answer whatever the Host says, so that
// curl alone can reach them.
const (
	pathOfNode = "/_aws/"
	pathOfAPI  = "execute-api/"
	pathOfURL  = "lambda-url/"
)

// place is where in the published APIs a request arrived. It borrows the path.
type place struct {
	api   *api   // nil: none
	stage *stage // nil: the API has none for the path
	raw   []byte // the path as events show it: with the stage where it is in the path
	path  []byte // the path that routes are matched with
}

// find looks for the API that a request is for, by its path or its Host, and
// reports whether there is one. It allocates nothing.
func (a *APIs) find(host, path []byte, at *place) bool {
	if id, rest, url, ok := cutAPIPath(path); ok {
		if found := a.byID[string(id)]; found != nil && (found.kind == KindURL) == url {
			found.enter(rest, at)
			return true
		}
	}
	if found := a.byHost(host); found != nil {
		found.enter(path, at)
		return true
	}
	return false
}

// byHost returns the API whose ID is the first label of host.
func (a *APIs) byHost(host []byte) *api {
	end := 0
	for end < len(host) && host[end] != '.' && host[end] != ':' {
		if end++; end > maxLabel {
			return nil
		}
	}
	if a.lengths&(1<<end) == 0 {
		return nil
	}
	var room [maxLabel]byte
	return a.byID[string(appendLower(room[:0], host[:end]))]
}

// cutAPIPath splits "/_aws/execute-api/{id}/rest" into the ID and "/rest"; url
// says that it was /_aws/lambda-url/.
func cutAPIPath(path []byte) (id, rest []byte, url, ok bool) {
	if len(path) < len(pathOfNode) || string(path[:len(pathOfNode)]) != pathOfNode {
		return nil, nil, false, false
	}
	path = path[len(pathOfNode):]
	id, ok = bytes.CutPrefix(path, []byte(pathOfAPI))
	if !ok {
		if id, url = bytes.CutPrefix(path, []byte(pathOfURL)); !url {
			return nil, nil, false, false
		}
	}
	path, rest = id, rootPath
	if i := bytes.IndexByte(path, '/'); i >= 0 {
		id, rest = path[:i], path[i:]
	}
	return id, rest, url, len(id) > 0
}

// rootPath stands where a path ends behind the name of an API or a stage.
var rootPath = []byte{'/'}

// enter finds the stage of a path. The first segment names it, except that an
// HTTP API's $default takes all other paths, and a function URL's all paths.
func (a *api) enter(path []byte, at *place) {
	at.api, at.stage, at.raw, at.path = a, nil, path, path
	if a.kind != KindURL && len(path) > 1 && path[0] == '/' {
		name, rest := cutSegment(path)
		// $default is no name: it matches below, with the whole path.
		if found := a.stages[string(name)]; found != nil && found.name != DefaultStage {
			if at.stage, at.path = found, rest; len(rest) == 0 {
				at.path = rootPath
			}
			return
		}
	}
	at.stage = a.stages[DefaultStage]
}

// enterRoot makes s the place of a request that has neither API nor stage in
// its path.
func (s *stage) enterRoot(path []byte, at *place) {
	at.api, at.stage, at.raw, at.path = s.api, s, path, path
}
