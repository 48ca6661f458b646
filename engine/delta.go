package engine

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"slices"

	"ledge/engine/capi"
)

// deltaState is how a Snapshot differs from an image that it shares: pages of the
// host, in a file of their own beside the state. See capi.Delta.
type deltaState struct {
	Patches []capi.Patch
	Mark    [capi.MarkSize]byte
}

const (
	deltaSuffix = ".delta"
	// maxPatches bounds the mappings of one Instance, of which a process usually has
	// 65530 for all slots. With fewer, more pages that did not change are stored.
	maxPatches = 64
	// maxDelta is how many bytes of a memory a delta may hold; a Snapshot that
	// differs more has an image of its own.
	maxDelta = 8 << 20
)

// difference returns the ranges of whole pages, from an offset on, in which after
// differs from before, at most maxPatches of them: the nearest are joined. The memories are of
// one size, a multiple of the page.
func difference(before, after []byte, from, page int) []capi.Patch {
	var list []capi.Patch
	for at := from; at < len(after); at += page {
		if bytes.Equal(before[at:at+page], after[at:at+page]) {
			continue
		}
		if n := len(list) - 1; n >= 0 && list[n].Offset+list[n].Len == uint64(at) {
			list[n].Len += uint64(page)
			continue
		}
		list = append(list, capi.Patch{Offset: uint64(at), Len: uint64(page)})
	}
	return join(list, maxPatches)
}

// join makes at most n ranges of list, which is in order, by closing the smallest
// gaps. It changes list.
func join(list []capi.Patch, n int) []capi.Patch {
	if len(list) <= n {
		return list
	}
	gap := func(i int) uint64 { return list[i+1].Offset - list[i].Offset - list[i].Len } // after i
	gaps := make([]int, len(list)-1)
	for i := range gaps {
		gaps[i] = i
	}
	slices.SortStableFunc(gaps, func(a, b int) int { return int(int64(gap(a)) - int64(gap(b))) })
	closed := make([]bool, len(list))
	for _, i := range gaps[:len(list)-n] {
		closed[i] = true
	}
	joined := list[:1]
	for i, next := range list[1:] {
		last := &joined[len(joined)-1]
		if closed[i] {
			last.Len = next.Offset + next.Len - last.Offset
			continue
		}
		joined = append(joined, next)
	}
	return joined
}

// encodeDelta returns the content of a delta file and sets the patches' places in
// it. The last page of the memory must be nobody's: the mark goes there.
func encodeDelta(memory []byte, patches []capi.Patch, page int) ([]byte, *deltaState) {
	size := page
	for _, p := range patches {
		size += int(p.Len)
	}
	data := make([]byte, 0, size)
	for i := range patches {
		p := &patches[i]
		p.At = uint64(len(data))
		data = append(data, memory[p.Offset:p.Offset+p.Len]...)
	}
	mark := sha256.Sum256(data)
	patches = append(patches, capi.Patch{Offset: uint64(len(memory) - page), Len: uint64(page), At: uint64(len(data))})
	data = append(data, mark[:]...)
	return data[:size], &deltaState{Patches: patches, Mark: mark}
}

// storeDelta stores a Snapshot as its difference to the image whose memory is
// before. It returns false where it does not fit.
func (r *Runtime) storeDelta(name, image string, before []byte, s *captured) (imageState, bool, error) {
	page := os.Getpagesize()
	state := imageState{Image: image, Memory: int64(len(s.Memory)), Clock: s.clock, Files: s.files, Resettable: s.resettable, globals: s.Globals}
	if len(before) != len(s.Memory) {
		return state, false, nil
	}
	from := s.deadStack() / page * page
	if from < keepResident {
		return state, false, nil // libwasmtime puts these pages back by copying the image
	}
	patches := difference(before, s.Memory, from, page)
	bytes := uint64(0)
	for _, p := range patches {
		bytes += p.Len
	}
	if last := uint64(len(before) - page); bytes > maxDelta || len(patches) > 0 && patches[len(patches)-1].Offset+patches[len(patches)-1].Len > last {
		return state, false, nil
	}
	data, delta := encodeDelta(s.Memory, patches, page)
	state.Delta = delta
	if err := r.artifacts.store(name+deltaSuffix, data); err != nil {
		return state, false, err
	}
	if err := r.artifacts.storeState(name, state); err != nil {
		return state, false, err
	}
	return state, true, nil
}

// openDelta returns the delta file of that name, or nil where there is none that
// can be trusted. It must stay open as long as the Template.
func (r *Runtime) openDelta(name string, state *deltaState) (*capi.Delta, error) {
	file, err := r.artifacts.verified(name + deltaSuffix)
	if file == nil {
		return nil, err
	}
	if len(state.Patches) == 0 {
		file.Close()
		return nil, nil
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("open delta: %w", err)
	}
	for _, p := range state.Patches {
		if size := uint64(info.Size()); p.At > size || p.Len > size-p.At {
			file.Close()
			return nil, nil
		}
	}
	var mark [capi.MarkSize]byte
	if _, err := file.ReadAt(mark[:], int64(state.Patches[len(state.Patches)-1].At)); err != nil || mark != state.Mark {
		file.Close()
		return nil, nil // the state is of another delta of that name
	}
	return &capi.Delta{File: file, Patches: state.Patches, Mark: state.Mark}, nil
}
