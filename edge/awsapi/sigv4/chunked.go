package sigv4

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"strconv"
	"strings"
)

// Bounds of an aws-chunked body. SDKs send chunks of 64 KiB to 1 MiB.
const (
	maxChunk     = 16 << 20 // bytes: a chunk is held in memory until it is verified
	maxChunkLine = 1 << 10
)

// Decode returns a reader of what an aws-chunked body says
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and
// sigv4-streaming-trailers.html). It gives away no byte of a signed chunk before
// that was verified, and no io.EOF before length and checksum were. Its errors are
// *Error where the body is to blame, and those of body otherwise.
//
// key is the one that Verify had; Verify must have returned nil. A chunk may have
// at most 16 MiB. Where Payload is not Encoded, Decode returns body.
func (c *Claim) Decode(key Key, body io.Reader) io.Reader {
	if !c.Payload.Encoded() {
		return body
	}
	return &chunkReader{
		claim: c, key: key, in: bufio.NewReaderSize(body, maxChunkLine),
		previous: hex.EncodeToString(c.Signature[:]), left: c.decodedLength, sum: newChecksum(c.trailer),
	}
}

type chunkReader struct {
	claim    *Claim
	key      Key
	in       *bufio.Reader
	previous string // signature of the chunk before
	left     int64  // bytes that X-Amz-Decoded-Content-Length still promises
	sum      hash.Hash
	buffer   bytes.Buffer
	chunk    []byte // verified and not yet read; part of buffer
	err      error
}

func (d *chunkReader) Read(p []byte) (int, error) {
	if len(d.chunk) == 0 && d.err == nil {
		d.err = d.next()
	}
	if len(d.chunk) == 0 {
		return 0, d.err
	}
	n := copy(p, d.chunk)
	d.chunk = d.chunk[n:]
	return n, nil
}

// next reads and verifies one chunk, and all that follows the last.
func (d *chunkReader) next() error {
	line, err := d.line()
	if err != nil {
		return err
	}
	sizeText, extension, _ := strings.Cut(line, ";")
	size, err := strconv.ParseUint(sizeText, 16, 32)
	if err != nil || size > maxChunk {
		return incomplete("'%s' is not the size of a chunk, in hexadecimal and at most %d bytes.", sizeText, maxChunk)
	}
	if int64(size) > d.left {
		return incomplete("The body is longer than the %d bytes of X-Amz-Decoded-Content-Length.", d.claim.decodedLength)
	}
	d.buffer.Reset()
	if _, err := io.CopyN(&d.buffer, d.in, int64(size)); err != nil {
		return cut(err)
	}
	d.left -= int64(size)
	data := d.buffer.Bytes()
	if d.claim.Payload.Signed() {
		given, found := strings.CutPrefix(extension, "chunk-signature=")
		if !found {
			return incomplete("A chunk of the body has no 'chunk-signature'.")
		}
		sum := sha256.Sum256(data)
		if err := d.verify(given, "-PAYLOAD", EmptyPayload+"\n"+hex.EncodeToString(sum[:])); err != nil {
			return err
		}
	}
	if d.sum != nil {
		d.sum.Write(data)
	}
	if size > 0 {
		d.chunk = data
		return d.endOfLine()
	}
	if d.left > 0 {
		return incomplete("The body ends %d bytes before the %d of X-Amz-Decoded-Content-Length.", d.left, d.claim.decodedLength)
	}
	if d.claim.Payload == Chunked {
		if err := d.endOfLine(); err != nil {
			return err
		}
	} else if err := d.trailers(); err != nil {
		return err
	}
	if _, err := d.in.ReadByte(); !errors.Is(err, io.EOF) {
		if err != nil {
			return fmt.Errorf("read aws-chunked body: %w", err)
		}
		return incomplete("The body goes on after its last chunk.")
	}
	return io.EOF
}

// trailers reads the checksum, and its signature where there is one.
func (d *chunkReader) trailers() error {
	line, err := d.line()
	if err != nil {
		return err
	}
	name, value, found := strings.Cut(line, ":")
	if !found || strings.ToLower(name) != d.claim.trailer {
		return incomplete("The trailer of the body is '%s', where X-Amz-Trailer announced '%s'.", name, d.claim.trailer)
	}
	value = strings.TrimSpace(value)
	if d.claim.Payload.Signed() {
		line, err := d.line()
		if err != nil {
			return err
		}
		given, found := strings.CutPrefix(line, "x-amz-trailer-signature:")
		if !found {
			return incomplete("The trailer of the body has no 'x-amz-trailer-signature'.")
		}
		sum := sha256.Sum256([]byte(d.claim.trailer + ":" + value + "\n"))
		if err := d.verify(strings.TrimSpace(given), "-TRAILER", hex.EncodeToString(sum[:])); err != nil {
			return err
		}
	}
	if base64.StdEncoding.EncodeToString(d.sum.Sum(nil)) != value {
		return invalid(Mismatch, "The body does not have the %s that its trailer says.", d.claim.trailer)
	}
	return d.endOfLine()
}

// verify compares a signature that covers text and the signature before it.
func (d *chunkReader) verify(given, kind, text string) error {
	b := d.claim.appendContext(make([]byte, 0, 512), algorithm+kind)
	b = append(b, d.previous...)
	b = append(b, '\n')
	b = append(b, text...)
	want := d.key.sign(b)
	d.previous = hex.EncodeToString(want[:])
	if !hmac.Equal([]byte(d.previous), []byte(given)) {
		return mismatch()
	}
	return nil
}

// line returns the next line without its end.
func (d *chunkReader) line() (string, error) {
	line, err := d.in.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", incomplete("A line of the aws-chunked body has more than %d bytes.", maxChunkLine)
	case err != nil:
		return "", cut(err)
	}
	return strings.TrimSuffix(string(line[:len(line)-1]), "\r"), nil
}

func (d *chunkReader) endOfLine() error {
	line, err := d.line()
	if err == nil && line != "" {
		return incomplete("A chunk of the body does not end where its size says.")
	}
	return err
}

// cut tells a body that ended too early from one that could not be read.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return incomplete("The aws-chunked body ends before its last chunk.")
	}
	return fmt.Errorf("read aws-chunked body: %w", err)
}

// newChecksum returns the checksum of a trailer, or nil
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html).
func newChecksum(trailer string) hash.Hash {
	switch trailer {
	case "x-amz-checksum-crc32":
		return crc32.NewIEEE()
	case "x-amz-checksum-crc32c":
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "x-amz-checksum-crc64nvme":
		return crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5)) // the polynomial of NVMe, bits reversed
	case "x-amz-checksum-sha1":
		return sha1.New()
	case "x-amz-checksum-sha256":
		return sha256.New()
	}
	return nil
}
