package engine

// unheld is how many bytes a host call may keep beside its Instance without asking: to
// count them all would cost the small calls more than it tells.
const unheld = 64 << 10

// held is what a host call keeps outside of its Instance while it runs, such as a
// reply that is still being read. It counts in the node's memory budget as the Instance
// does, since there are as many host calls at a time as there are Instances. The zero
// value holds nothing; release it.
type held struct {
	runtime *Runtime
	bytes   int64
}

// take counts bytes in. Idle Instances make room for them.
func (k *held) take(bytes int) error {
	if bytes <= unheld {
		return nil
	}
	for !k.runtime.node.Hold(int64(bytes)) {
		if !k.runtime.evict(anyIdle) {
			return &callError{Type: callUnavailable, Message: "the node has not enough memory for this call now, try again"}
		}
	}
	k.bytes += int64(bytes)
	return nil
}

// takeWrites counts what it takes to read writes in JSON, of which there are some
// copies until they are stored, and their values. What is too large is refused soon
// enough by whoever reads it.
func (k *held) takeWrites(head, body []byte) error {
	return k.take(4*min(len(head), maxWriteHead) + min(len(body), maxWriteHead))
}

// takeItems counts what it takes to tell of items.
func (k *held) takeItems(items []Item) error {
	size := 0
	for i := range items {
		size += len(items[i].Key) + len(items[i].Value)
	}
	return k.take(4 * size)
}

func (k *held) release() {
	if k.bytes != 0 {
		k.runtime.node.Hold(-k.bytes)
		k.bytes = 0
	}
}
