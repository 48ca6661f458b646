package persist

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	bolt "go.etcd.io/bbolt"
)

// Layout of a bbolt file (go.etcd.io/bbolt/internal/common), little-endian on
// the machines that this runs on. Pages 0 and 1 are meta pages.
//
//	page     id 8, flags 2, count 2, overflow 4, then count elements
//	meta     magic 4, version 4, page size 4, flags 4, root 8, sequence 8,
//	         freelist 8, pages in use 8, transaction 8, FNV-1a of all that 8
//	branch   element: offset 4, key size 4, page 8
//	leaf     element: flags 4, offset 4, key size 4, value size 4
//	bucket   the value of a leaf element with flag 1: root 8, sequence 8, and
//	         where root is 0 a small page of its own
const (
	pageHead    = 16
	elementSize = 16
	bucketHead  = 16
	metaSize    = 64

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagFreelist = 0x10
	leafIsBucket = 0x01

	boltMagic   = 0xED0CDAED
	boltVersion = 2
	noFreelist  = 1<<64 - 1
)

// Bounds of the check.
const (
	maxTreeDepth = 64
	// startPages is how many pages of what holdsMuch are read before the node serves,
	// of a file that may be most of a card: those first that lead to others. It is
	// about what a slow card reads in half a second. Backup checks the rest.
	startPages = 1 << 10
	allPages   = 1<<63 - 1
)

// checkFile looks at the page structure of a database before bbolt uses it,
// because bbolt trusts pages: one that points back to a page above it makes it
// run for ever, a freelist with a wild length makes it run out of memory, and a
// page that is in use and free will be overwritten. It returns ErrDamaged.
//
// most bounds the pages that are read of the buckets that holdsMuch names.
func checkFile(r io.ReaderAt, size int64, most int) error {
	m, err := newestMeta(r, size)
	if err != nil {
		return err
	}
	if m.pages < 2 || m.pages > uint64(size)/m.pageSize {
		return fmt.Errorf("%w: it is cut off: it has %d bytes and uses %d pages of %d", ErrDamaged, size, m.pages, m.pageSize)
	}
	c := newPageCheck(r, m, func() error { return nil })
	if err := c.all(most); err != nil {
		return err
	}
	return c.freelist()
}

// checkTransaction is checkFile for all that a transaction of an open database
// sees. Free pages are left out: they change meanwhile.
func checkTransaction(path string, tx *bolt.Tx, pageSize int, stop func() error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open database for its check: %w", err)
	}
	defer f.Close()
	m := boltMeta{
		pageSize: uint64(pageSize), pages: uint64(tx.Size()) / uint64(pageSize),
		root: uint64(tx.Cursor().Bucket().Root()), tx: uint64(tx.ID()),
	}
	return newPageCheck(f, m, stop).all(allPages)
}

// holdsMuch tells the buckets that grow with what the node does, or may be large.
func holdsMuch(bucket string) bool {
	switch bucket {
	case bucketKV, bucketData, bucketExpiries, bucketChanges, bucketQueue, bucketDeadLetters,
		bucketSchedules, bucketScheduleStates, bucketDamaged:
		return true
	}
	return false
}

// pageCheck walks the pages that a meta page leads to.
type pageCheck struct {
	r       io.ReaderAt
	meta    boltMeta
	stop    func() error
	seen    []bool     // pages met so far
	pending []pageNode // read or to be read, those first that lie higher
	most    int        // of pending
	later   []pageNode // roots of what holdsMuch
	buf     []byte     // the page that is looked at
}

// pageNode is a page that something points to.
type pageNode struct {
	id    uint64
	depth int
	top   bool // of the bucket of buckets
}

func newPageCheck(r io.ReaderAt, m boltMeta, stop func() error) *pageCheck {
	return &pageCheck{r: r, meta: m, stop: stop, seen: make([]bool, m.pages), buf: make([]byte, m.pageSize)}
}

// all checks the tree of the meta page, and of each bucket that holdsMuch its share
// of that many pages.
func (c *pageCheck) all(most int) error {
	if err := c.trees(allPages, pageNode{id: c.meta.root, top: true}); err != nil {
		return err
	}
	for i, root := range c.later {
		if err := c.trees(most/(len(c.later)-i), root); err != nil {
			return err
		}
	}
	return nil
}

// trees checks the page root and those below it, at most that many.
func (c *pageCheck) trees(most int, root pageNode) error {
	c.pending, c.most = append(c.pending[:0], root), most
	for n := 0; n < len(c.pending) && n < most; n++ {
		if err := c.stop(); err != nil {
			return err
		}
		if err := c.node(c.pending[n]); err != nil {
			return err
		}
	}
	return nil
}

// page is the part of a page that the check needs.
type page struct {
	id       uint64
	flags    uint16
	elements []byte // valid until the next page is read
	size     uint64 // bytes with overflow
}

func (c *pageCheck) node(n pageNode) error {
	if n.depth > maxTreeDepth {
		return fmt.Errorf("%w: page %d lies too deep", ErrDamaged, n.id)
	}
	p, err := c.page(n.id)
	if err != nil {
		return err
	}
	switch p.flags {
	case flagBranch:
		if len(p.elements) == 0 {
			return fmt.Errorf("%w: branch page %d is empty", ErrDamaged, n.id)
		}
		for i := 0; i < len(p.elements); i += elementSize {
			e := p.elements[i:]
			if err := inPage(p, i, binary.LittleEndian.Uint32(e), binary.LittleEndian.Uint32(e[4:]), 0); err != nil {
				return err
			}
			if len(c.pending) < c.most {
				c.pending = append(c.pending, pageNode{binary.LittleEndian.Uint64(e[8:]), n.depth + 1, n.top})
			}
		}
		return nil
	case flagLeaf:
		return c.leaf(p, int64(n.id*c.meta.pageSize), n.depth, n.top)
	}
	return fmt.Errorf("%w: page %d has flags %#x", ErrDamaged, n.id, p.flags)
}

// leaf checks the elements of a leaf page that begins at at in the file, and
// the buckets among them.
func (c *pageCheck) leaf(p page, at int64, depth int, top bool) error {
	le := binary.LittleEndian
	for i := 0; i < len(p.elements); i += elementSize {
		e := p.elements[i:]
		flags, offset, keySize, valueSize := le.Uint32(e), le.Uint32(e[4:]), le.Uint32(e[8:]), le.Uint32(e[12:])
		if err := inPage(p, i, offset, keySize, valueSize); err != nil {
			return err
		}
		if flags&leafIsBucket == 0 {
			continue
		}
		keyAt := at + pageHead + int64(i) + int64(offset)
		much := false
		if top && keySize <= maxNameBytes {
			name, err := c.read(keyAt, int(keySize))
			if err != nil {
				return err
			}
			much = holdsMuch(string(name))
		}
		if err := c.bucket(p.id, keyAt+int64(keySize), valueSize, depth+1, much); err != nil {
			return err
		}
	}
	return nil
}

// bucket checks the bucket whose header is the value at at; much says to leave
// its pages for later.
func (c *pageCheck) bucket(id uint64, at int64, size uint32, depth int, much bool) error {
	if size < bucketHead {
		return fmt.Errorf("%w: a bucket in page %d is cut off", ErrDamaged, id)
	}
	head, err := c.read(at, bucketHead)
	if err != nil {
		return err
	}
	root := binary.LittleEndian.Uint64(head)
	switch {
	case root != 0 && much:
		c.later = append(c.later, pageNode{id: root, depth: depth})
		return nil
	case root != 0 && len(c.pending) >= c.most:
		return nil
	case root != 0:
		c.pending = append(c.pending, pageNode{id: root, depth: depth})
		return nil
	case size < bucketHead+pageHead || depth > maxTreeDepth:
		return fmt.Errorf("%w: a bucket in page %d is cut off", ErrDamaged, id)
	}
	b, err := c.read(at+bucketHead, int(size-bucketHead))
	if err != nil {
		return err
	}
	inline, err := c.parse(b, at+bucketHead, uint64(size-bucketHead))
	if err != nil {
		return err
	}
	if inline.flags != flagLeaf {
		return fmt.Errorf("%w: a bucket in page %d has flags %#x", ErrDamaged, id, inline.flags)
	}
	inline.id = id
	return c.leaf(inline, at+bucketHead, depth, false)
}

// page reads a page and notes that it was met. It must not have been before.
func (c *pageCheck) page(id uint64) (page, error) {
	if id < 2 || id >= c.meta.pages {
		return page{}, fmt.Errorf("%w: something points to page %d of %d", ErrDamaged, id, c.meta.pages)
	}
	at := int64(id * c.meta.pageSize)
	if _, err := c.r.ReadAt(c.buf, at); err != nil {
		return page{}, readError(at, err)
	}
	if own := binary.LittleEndian.Uint64(c.buf); own != id {
		return page{}, fmt.Errorf("%w: page %d says that it is page %d", ErrDamaged, id, own)
	}
	pages := 1 + uint64(binary.LittleEndian.Uint32(c.buf[12:]))
	if pages > c.meta.pages-id {
		return page{}, fmt.Errorf("%w: page %d goes on beyond the end", ErrDamaged, id)
	}
	for i := id; i < id+pages; i++ {
		if c.seen[i] {
			return page{}, fmt.Errorf("%w: page %d is used twice", ErrDamaged, i)
		}
		c.seen[i] = true
	}
	p, err := c.parse(c.buf, at, pages*c.meta.pageSize)
	p.id = id
	return p, err
}

// parse reads the head and the elements of a page of size bytes at at, which begins
// with b.
func (c *pageCheck) parse(b []byte, at int64, size uint64) (p page, err error) {
	p = page{flags: binary.LittleEndian.Uint16(b[8:]), size: size}
	if p.flags == flagFreelist {
		return p, nil
	}
	count := int(binary.LittleEndian.Uint16(b[10:]))
	end := pageHead + count*elementSize
	if uint64(end) > size {
		return page{}, fmt.Errorf("%w: a page has %d elements in %d bytes", ErrDamaged, count, size)
	}
	if end <= len(b) {
		p.elements = b[pageHead:end]
		return p, nil
	}
	p.elements, err = c.read(at+pageHead, count*elementSize)
	return p, err
}

// inPage makes sure that the key and value of the element at i lie in its page.
// Their offset counts from the element.
func inPage(p page, i int, offset, keySize, valueSize uint32) error {
	if uint64(pageHead+i)+uint64(offset)+uint64(keySize)+uint64(valueSize) > p.size {
		return fmt.Errorf("%w: an element of page %d lies outside of it", ErrDamaged, p.id)
	}
	return nil
}

// freelist checks that the pages that are listed as free are not in use.
func (c *pageCheck) freelist() error {
	if c.meta.freelist == noFreelist { // bbolt then looks for free pages itself
		return nil
	}
	p, err := c.page(c.meta.freelist)
	if err != nil {
		return err
	}
	if p.flags != flagFreelist {
		return fmt.Errorf("%w: the freelist is a page with flags %#x", ErrDamaged, p.flags)
	}
	at := int64(p.id * c.meta.pageSize)
	head, err := c.read(at, pageHead+8)
	if err != nil {
		return err
	}
	count, start := uint64(binary.LittleEndian.Uint16(head[10:])), uint64(pageHead)
	if count == 0xffff { // the length did not fit
		count, start = binary.LittleEndian.Uint64(head[pageHead:]), pageHead+8
	}
	if count > (p.size-start)/8 {
		return fmt.Errorf("%w: the freelist has %d entries in %d bytes", ErrDamaged, count, p.size)
	}
	ids, err := c.read(at+int64(start), int(count)*8)
	if err != nil {
		return err
	}
	for ; len(ids) > 0; ids = ids[8:] {
		id := binary.LittleEndian.Uint64(ids)
		if id < 2 || id >= c.meta.pages || c.seen[id] {
			return fmt.Errorf("%w: page %d is listed as free, and in use or free already", ErrDamaged, id)
		}
		c.seen[id] = true
	}
	return nil
}

// read returns n bytes at at. That the disk cannot deliver them is damage too.
func (c *pageCheck) read(at int64, n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := c.r.ReadAt(b, at); err != nil {
		return nil, readError(at, err)
	}
	return b, nil
}

func readError(at int64, err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%w: read at %d: %w", ErrDamaged, at, err)
}
