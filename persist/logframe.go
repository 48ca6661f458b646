package persist

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"time"
)

// A log segment is a sequence of frames:
//
//	marker   4 bytes  f5 4c 47 0a; f5 occurs in no UTF-8 text
//	length   4 bytes  of the body, little-endian
//	checksum 4 bytes  CRC-32C (RFC 3720, 12.1) of length and body
//	body     time     8 bytes, Unix time in nanoseconds
//	         function, version, request ID: each 1 byte length, then the bytes
//	         text     the rest
//
// Where a frame is torn or damaged, a reader goes on at the next marker that
// begins a frame whose checksum is right.
const (
	frameHead    = 12
	maxNameFrame = 255      // bytes of a name in a frame; more is cut
	maxTextFrame = 64 << 10 // bytes of text in a frame; more is split
	maxBodyFrame = 8 + 3*(1+maxNameFrame) + maxTextFrame
	maxFrame     = frameHead + maxBodyFrame
)

const frameMarker = "\xf5LG\n"

// frameSize returns the bytes that appendFrame is going to append.
func frameSize(function, version, requestID string, text []byte) int {
	return frameHead + 8 + 3 +
		min(len(function), maxNameFrame) + min(len(version), maxNameFrame) + min(len(requestID), maxNameFrame) +
		len(text)
}

// appendFrame appends a frame to b. text has at most maxTextFrame bytes.
func appendFrame(b []byte, function, version, requestID string, at time.Time, text []byte) []byte {
	start := len(b)
	b = append(b, frameMarker...)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0) // length and checksum
	b = binary.LittleEndian.AppendUint64(b, uint64(at.UnixNano()))
	b = appendName(b, function)
	b = appendName(b, version)
	b = appendName(b, requestID)
	b = append(b, text...)
	head, body := b[start:start+frameHead], b[start+frameHead:]
	binary.LittleEndian.PutUint32(head[4:], uint32(len(body)))
	binary.LittleEndian.PutUint32(head[8:], frameSum(head, body))
	return b
}

func appendName(b []byte, name string) []byte {
	name = name[:min(len(name), maxNameFrame)]
	b = append(b, byte(len(name)))
	return append(b, name...)
}

func frameSum(head, body []byte) uint32 {
	castagnoli := crc32.MakeTable(crc32.Castagnoli) // the library's own table, not a new one
	return crc32.Update(crc32.Checksum(head[4:8], castagnoli), castagnoli, body)
}

// frameState says what nextFrame found.
type frameState int

const (
	frameWhole   frameState = iota // a frame
	frameShort                     // the beginning of a frame: more bytes are needed to tell
	frameDamaged                   // bytes that are no frame
)

// frame is a decoded frame. It points into the bytes that it was read from.
type frame struct {
	at                           time.Time
	function, version, requestID []byte
	text                         []byte
}

// nextFrame reads what b begins with. size is the bytes of it: of the frame, or
// of the damage up to where the next frame may begin, at least 1.
func nextFrame(b []byte) (f frame, size int, state frameState) {
	damaged := func() (frame, int, frameState) {
		next := bytes.Index(b[1:], []byte(frameMarker))
		if next >= 0 {
			return frame{}, 1 + next, frameDamaged
		}
		return frame{}, max(1, len(b)-len(frameMarker)+1), frameDamaged // it may begin at the end
	}
	if len(b) < frameHead {
		if bytes.HasPrefix(b, []byte(frameMarker)) || bytes.HasPrefix([]byte(frameMarker), b) {
			return frame{}, 0, frameShort
		}
		return damaged()
	}
	length := binary.LittleEndian.Uint32(b[4:])
	if string(b[:4]) != frameMarker || length < 8+3 || length > maxBodyFrame {
		return damaged()
	}
	size = frameHead + int(length)
	if len(b) < size {
		return frame{}, 0, frameShort
	}
	body := b[frameHead:size]
	if frameSum(b[:frameHead], body) != binary.LittleEndian.Uint32(b[8:]) {
		return damaged()
	}
	f.at = time.Unix(0, int64(binary.LittleEndian.Uint64(body)))
	rest, ok := body[8:], true
	for _, name := range []*[]byte{&f.function, &f.version, &f.requestID} {
		if *name, rest, ok = cutName(rest); !ok {
			return damaged()
		}
	}
	f.text = rest
	return f, size, frameWhole
}

func cutName(b []byte) (name, rest []byte, ok bool) {
	if len(b) == 0 || len(b) < 1+int(b[0]) {
		return nil, nil, false
	}
	n := 1 + int(b[0])
	return b[1:n], b[n:], true
}
