package wasmbin

import (
	"errors"
	"fmt"
	"slices"
)

// initialRuns returns the content that the active data segments give the
// memory, as runs in order that do not overlap. Segments are applied in their
// order, so where two overlap, the later one wins. It takes memory in
// proportion to the segments, not to the addresses between them: a small
// module can name an address at 4 GiB.
func (m *Module) initialRuns() ([]run, error) {
	size := m.memories[0].Min * PageSize
	runs := make([]run, 0, len(m.segments))
	for i, s := range m.segments {
		if s.passive {
			continue
		}
		offset, err := m.evalI32(s.offset, 0)
		var unsupported *UnsupportedError
		switch at := uint64(uint32(offset)); {
		case errors.As(err, &unsupported):
			return nil, fmt.Errorf("data segment %d: %w", i, err)
		case err != nil:
			return nil, &SyntaxError{s.at, sectionName(idData), fmt.Sprintf("offset of segment %d: %s", i, err)}
		case at+uint64(len(s.init)) > size:
			return nil, &SyntaxError{s.at, sectionName(idData),
				fmt.Sprintf("segment %d ends at %d, past the %d bytes of memory", i, at+uint64(len(s.init)), size)}
		case len(s.init) > 0:
			runs = append(runs, run{int(at), s.init})
		}
	}
	return flatten(runs), nil
}

// flatten returns runs with the same content in order and without overlap. A
// later run of the argument covers an earlier one. Runs that overlap are
// copied into one; the others are borrowed.
func flatten(runs []run) []run {
	order := make([]int, len(runs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return runs[a].at - runs[b].at })

	var flat []run
	for first := 0; first < len(order); {
		// order[first:next] is a cluster: each starts before the end so far.
		begin, end := runs[order[first]].at, runs[order[first]].end()
		next := first + 1
		for next < len(order) && runs[order[next]].at < end {
			end = max(end, runs[order[next]].end())
			next++
		}
		cluster := order[first:next]
		first = next
		if len(cluster) == 1 {
			flat = append(flat, runs[cluster[0]])
			continue
		}
		slices.Sort(cluster) // back to the order in which they are applied
		data := make([]byte, end-begin)
		for _, i := range cluster {
			copy(data[runs[i].at-begin:], runs[i].data)
		}
		flat = append(flat, run{begin, data})
	}
	return flat
}
