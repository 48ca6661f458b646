package sigv4

import (
	"encoding/hex"
	"strconv"
	"strings"
)

// Payload is how a signature covers the body.
type Payload uint8

const (
	// Whole: the signature covers the hash of the body, and does not say which
	// that is. Verify needs it, so the body must be read first.
	Whole Payload = iota
	// Hashed: X-Amz-Content-Sha256 has the hash. The signature can be verified
	// before the body is read; CheckBody then compares.
	Hashed
	// Unsigned: anybody on the way can replace the body.
	Unsigned
	// Chunked: the body is aws-chunked, and each chunk has a signature.
	Chunked
	// ChunkedTrailer is Chunked with a checksum of the whole at its end, signed too.
	ChunkedTrailer
	// UnsignedTrailer: the body is aws-chunked without signatures, and has a
	// checksum at its end, which protects against accidents and nothing else.
	UnsignedTrailer
)

// Values of X-Amz-Content-Sha256 that are no hash
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html).
const (
	// UnsignedPayload is for Sign and Presign, where the body shall not be covered.
	UnsignedPayload = "UNSIGNED-PAYLOAD"
	// EmptyPayload is HashPayload of no body.
	EmptyPayload = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

	streamingSigned          = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	streamingSignedTrailer   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	streamingUnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// Signed reports whether the body cannot be replaced on the way unnoticed.
func (p Payload) Signed() bool { return p != Unsigned && p != UnsignedTrailer }

// Encoded reports whether the body is aws-chunked: what it says is what
// Claim.Decode reads.
func (p Payload) Encoded() bool { return p >= Chunked }

// parsePayload understands X-Amz-Content-Sha256, and with an aws-chunked body
// what comes with it.
func (c *Claim) parsePayload(r *Request) error {
	switch c.payload {
	case "":
		c.Payload = Whole
	case UnsignedPayload:
		c.Payload = Unsigned
	case streamingSigned:
		c.Payload = Chunked
	case streamingSignedTrailer:
		c.Payload = ChunkedTrailer
	case streamingUnsignedTrailer:
		c.Payload = UnsignedTrailer
	default:
		if !isHash(c.payload) {
			return incomplete("X-Amz-Content-Sha256 '%s' is neither a SHA-256 in lower-case hexadecimal nor one of AWS's names for other payloads that are supported here.", c.payload)
		}
		c.Payload = Hashed
	}
	if !c.Payload.Encoded() {
		return nil
	}
	if c.Presigned {
		return incomplete("A presigned request cannot have an aws-chunked body.")
	}
	length, err := strconv.ParseInt(r.Header.Get("X-Amz-Decoded-Content-Length"), 10, 64)
	if err != nil || length < 0 {
		return incomplete("An aws-chunked body requires the header X-Amz-Decoded-Content-Length with the number of its bytes.")
	}
	c.decodedLength = length
	if c.Payload != Chunked {
		c.trailer = strings.ToLower(r.Header.Get("X-Amz-Trailer"))
		if newChecksum(c.trailer) == nil {
			return incomplete("X-Amz-Trailer '%s' is not supported; use one of x-amz-checksum-crc32, -crc32c, -crc64nvme, -sha1 and -sha256.", c.trailer)
		}
	}
	return nil
}

func isHash(s string) bool {
	if len(s) != len(EmptyPayload) || strings.ToLower(s) != s {
		return false
	}
	_, err := hex.DecodeString(s)
	return err == nil
}
