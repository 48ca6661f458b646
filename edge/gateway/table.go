package gateway

import (
	"bytes"
	"fmt"
)

// Table is an immutable set of routes that requests are matched in. It is safe
// for concurrent use. The zero value has no routes.
type Table struct {
	root     node
	fallback *target // $default
	greedy   bool    // some route ends in {proxy+}
	count    int
}

// node is one segment of the routes' paths. Each node stands for exactly one
// prefix, so one match visits a node at most once and takes time in proportion
// to the table at worst.
type node struct {
	literal map[string]*node
	param   *node
	here    *endpoint // the routes that end here
	rest    *endpoint // the routes that end here with {proxy+}
}

// endpoint holds the routes of one path by method.
type endpoint [methodCount]*target

// target is a route made ready to serve.
type target struct {
	route Route
	key   string
	names []string // of the parameters, in the order of the path
	// What is constant in its events: head is their start, up to and including
	// the name of the member with the path; routeStage is what stands between the
	// request's ID and its time.
	head, context, routeStage, variables []byte
	cors                                 *corsHeaders
	events                               Events

	stage *stage // nil: it is one of the node's own
	guard *guard // nil: everybody may pass
}

// captured holds what a match captured: the n first values, percent-encoded as
// they were sent. The slices borrow from the path.
type captured struct {
	values [MaxParams][]byte
	n      int
}

// NewTable checks all routes and builds their Table. The error is a
// *RouteError for the first route that is wrong, or that has the method and
// the shape of an earlier one (parameters' names do not tell routes apart).
func NewTable(routes []Route) (*Table, error) {
	return newTable(routes, func(r Route, p pattern) (*target, error) {
		if err := r.check(); err != nil {
			return nil, err
		}
		return newTarget(r, p, nil), nil
	})
}

// newTable is NewTable with a function that checks each route and makes it ready.
func newTable(routes []Route, ready func(Route, pattern) (*target, error)) (*Table, error) {
	if len(routes) > MaxRoutes {
		return nil, &RouteError{routes[MaxRoutes].Key(), fmt.Sprintf("it is one more than %d routes", MaxRoutes), "use {param} or {proxy+} routes"}
	}
	t := &Table{count: len(routes)}
	for _, r := range routes {
		p, err := parseRoute(r.Key(), r.Method, r.Path)
		if err != nil {
			return nil, err
		}
		made, err := ready(r, p)
		if err != nil {
			return nil, err
		}
		slot := t.slot(p)
		if *slot != nil {
			return nil, &RouteError{r.Key(), fmt.Sprintf("it matches the same requests as %q", (*slot).key), "remove one of the two"}
		}
		*slot = made
	}
	return t, nil
}

// Len returns the number of routes.
func (t *Table) Len() int { return t.count }

// slot returns the place of p in the tree and grows the tree towards it.
func (t *Table) slot(p pattern) **target {
	if p.fallback {
		return &t.fallback
	}
	n := &t.root
	for _, s := range p.segments {
		switch s.kind {
		case segmentLiteral:
			next := n.literal[s.text]
			if next == nil {
				if n.literal == nil {
					n.literal = make(map[string]*node)
				}
				next = new(node)
				n.literal[s.text] = next
			}
			n = next
		case segmentParam:
			if n.param == nil {
				n.param = new(node)
			}
			n = n.param
		case segmentGreedy:
			t.greedy = true
			if n.rest == nil {
				n.rest = new(endpoint)
			}
			return &n.rest[p.method]
		}
	}
	if n.here == nil {
		n.here = new(endpoint)
	}
	return &n.here[p.method]
}

// newTarget makes a route ready; of is the stage that it belongs to, nil for one
// of the node's own.
func newTarget(r Route, p pattern, of *stage) *target {
	t := &target{route: r, key: r.Key(), stage: of, events: r.Events}
	if r.Payload == PayloadRaw && r.ContentType == "" {
		t.route.ContentType = "application/octet-stream"
	}
	for _, s := range p.segments {
		if s.kind != segmentLiteral {
			t.names = append(t.names, s.text)
		}
	}
	if r.CORS != nil {
		t.route.CORS = nil // the caller's; cors has what is needed of it
		t.cors = newCORSHeaders(r.CORS, p.method)
	}
	if of != nil {
		t.cors = of.cors
		if of.api.kind != KindURL {
			t.events = eventsOfAWS
		}
	}
	return t.as(r.Payload)
}

// as returns t with events of another payload format.
func (t *target) as(p Payload) *target {
	same := *t
	same.route.Payload = p
	same.head, same.context, same.routeStage, same.variables = nil, nil, nil, nil
	if p == PayloadV1 {
		same.constantsV1()
	} else {
		same.constantsV2()
	}
	return &same
}

// match returns the most specific route for a request, or nil, and writes what
// it captured to params. It allocates nothing.
func (t *Table) match(m method, path []byte, params *captured) *target {
	params.n = 0
	if m == methodNone {
		return nil
	}
	if len(path) == 1 && path[0] == '/' {
		if found := t.root.here.pick(m); found != nil {
			return found
		}
	} else if len(path) > 0 && path[0] == '/' {
		if found := t.root.match(m, path, params); found != nil {
			return found
		}
		if t.greedy {
			if found := t.root.matchGreedy(m, path, params); found != nil {
				return found
			}
		}
	}
	return t.fallback
}

// match finds a route without {proxy+} for path, which is empty or begins with
// the slash before the next segment. Where it returns nil, params is as before.
func (n *node) match(m method, path []byte, params *captured) *target {
	if len(path) == 0 {
		return n.here.pick(m)
	}
	name, tail := cutSegment(path)
	if next := n.lookup(name); next != nil {
		if found := next.match(m, tail, params); found != nil {
			return found
		}
	}
	if n.param != nil && len(name) > 0 {
		params.push(name)
		if found := n.param.match(m, tail, params); found != nil {
			return found
		}
		params.n--
	}
	return nil
}

// matchGreedy finds the deepest route with {proxy+} for path, in the same way.
func (n *node) matchGreedy(m method, path []byte, params *captured) *target {
	if len(path) < 2 {
		return nil
	}
	name, tail := cutSegment(path)
	if next := n.lookup(name); next != nil {
		if found := next.matchGreedy(m, tail, params); found != nil {
			return found
		}
	}
	if n.param != nil && len(name) > 0 {
		params.push(name)
		if found := n.param.matchGreedy(m, tail, params); found != nil {
			return found
		}
		params.n--
	}
	found := n.rest.pick(m)
	if found != nil {
		params.push(path[1:])
	}
	return found
}

// push captures one value. There is room: no route has more than MaxParams.
func (p *captured) push(value []byte) {
	p.values[p.n] = value
	p.n++
}

// pick chooses by method: the named one, then ANY, then GET for HEAD.
func (e *endpoint) pick(m method) *target {
	if e == nil {
		return nil
	}
	if m < methodCount && e[m] != nil {
		return e[m]
	}
	if e[methodAny] != nil {
		return e[methodAny]
	}
	if m == methodHead {
		return e[methodGet]
	}
	return nil
}

// lookup returns the child for a segment as it was sent.
func (n *node) lookup(name []byte) *node {
	if n.literal == nil || len(name) > 3*MaxSegmentBytes {
		return nil
	}
	if bytes.IndexByte(name, '%') < 0 {
		return n.literal[string(name)]
	}
	var room [3 * MaxSegmentBytes]byte
	return n.literal[string(appendUnescaped(room[:0], name, false))]
}

// cutSegment splits "/name/tail" into "name" and "/tail".
func cutSegment(path []byte) (name, tail []byte) {
	path = path[1:]
	if i := bytes.IndexByte(path, '/'); i >= 0 {
		return path[:i], path[i:]
	}
	return path, nil
}
