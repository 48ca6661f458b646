package sigv4

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

const chunkedSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

// chunkedRequest is the example of AWS's pages about aws-chunked bodies.
func chunkedRequest(payload, signature string, header ...string) *Request {
	h := http.Header{
		"Content-Encoding": {"aws-chunked"}, "X-Amz-Content-Sha256": {payload}, "X-Amz-Date": {"20130524T000000Z"},
		"X-Amz-Decoded-Content-Length": {"66560"}, "X-Amz-Storage-Class": {"REDUCED_REDUNDANCY"},
	}
	names := "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class"
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
		if header[i] == "X-Amz-Trailer" {
			names += ";x-amz-trailer"
		} else {
			names = strings.Replace(names, "host", "content-length;host", 1)
		}
	}
	h.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders="+names+",Signature="+signature)
	return &Request{Method: "PUT", Path: "/examplebucket/chunkObject.txt", Host: "s3.amazonaws.com", Header: h, ContentLength: -1}
}

// chunk returns one chunk, with a signature where there is one.
func chunk(size int, signature string) string {
	line := fmt.Sprintf("%x", size)
	if signature != "" {
		line += ";chunk-signature=" + signature
	}
	line += "\r\n" + strings.Repeat("a", size)
	if size > 0 {
		line += "\r\n"
	}
	return line
}

const (
	signedBody = "chunked"
	trailed    = "with a trailer"
	unsigned   = "unsigned with a trailer"
)

// chunkedExamples returns request and body of
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html,
// and one of a body without signatures.
func chunkedExamples(t testing.TB) map[string]struct {
	request *Request
	body    string
} {
	t.Helper()
	open := chunkedRequest(streamingUnsignedTrailer, strings.Repeat("0", 64), "X-Amz-Trailer", "x-amz-checksum-crc32c")
	resign(t, open)
	return map[string]struct {
		request *Request
		body    string
	}{
		signedBody: {
			chunkedRequest(streamingSigned, "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9", "Content-Length", "66824"),
			chunk(65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648") +
				chunk(1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497") +
				chunk(0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9") + "\r\n",
		},
		trailed: {
			chunkedRequest(streamingSignedTrailer, "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e", "X-Amz-Trailer", "x-amz-checksum-crc32c"),
			chunk(65536, "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2") +
				chunk(1024, "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7") +
				chunk(0, "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992") +
				"x-amz-checksum-crc32c:sOO8/Q==\r\n" +
				"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n",
		},
		unsigned: {
			open,
			chunk(65536, "") + chunk(1024, "") + chunk(0, "") + "x-amz-checksum-crc32c:sOO8/Q==\r\n\r\n",
		},
	}
}

// resign puts the right signature in place of the one that r has.
func resign(t testing.TB, r *Request) {
	t.Helper()
	c, err := Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	key := NewKey(chunkedSecret, c.Scope)
	sum, err := c.signature(r, &key, c.payload)
	if err != nil {
		t.Fatal(err)
	}
	value, _, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
	r.Header.Set("Authorization", value+"Signature="+hex.EncodeToString(sum[:]))
}

func TestChunkedExamples(t *testing.T) {
	for name, example := range chunkedExamples(t) {
		t.Run(name, func(t *testing.T) {
			c, key := verified(t, example.request)
			if !c.Payload.Encoded() || c.Payload.Signed() != (name != unsigned) {
				t.Errorf("payload is %d", c.Payload)
			}
			for what, in := range map[string]io.Reader{
				"at once":      strings.NewReader(example.body),
				"byte by byte": iotest.OneByteReader(strings.NewReader(example.body)),
			} {
				got, err := io.ReadAll(c.Decode(key, in))
				if err != nil || string(got) != strings.Repeat("a", 66560) {
					t.Errorf("%s: %d bytes, %v", what, len(got), err)
				}
			}
		})
	}
}

func verified(t testing.TB, r *Request) (*Claim, Key) {
	t.Helper()
	c, err := Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Check(time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC), "s3"); err != nil {
		t.Fatal(err)
	}
	key := NewKey(chunkedSecret, c.Scope)
	if err := c.Verify(r, key, ""); err != nil {
		t.Fatal(err)
	}
	return c, key
}

// Nothing of a chunk that is not as it was signed is given away.
func TestChunkedTampering(t *testing.T) {
	replace := func(old, new string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, new, 1) }
	}
	for name, example := range chunkedExamples(t) {
		c, key := verified(t, example.request)
		for what, tamper := range map[string]func(string) string{
			"data of the first chunk":  replace("aaa", "aba"),
			"data of the second chunk": func(s string) string { return s[:66000] + "b" + s[66001:] },
			"a chunk left out":         func(s string) string { return s[strings.Index(s, "\r\n400")+2:] },
			"the end left out":         func(s string) string { return s[:66600] },
			"the last byte left out":   func(s string) string { return s[:len(s)-1] },
			"more after the end":       func(s string) string { return s + "x" },
			"a larger size":            replace("10000", "10001"),
			"a huge size":              replace("10000", "fffffff"),
			"no size":                  replace("10000", "zz"),
			"empty":                    func(string) string { return "" },
			"another checksum":         replace("sOO8", "sOO9"),
			"another trailer":          replace("crc32c", "crc32"),
			"a long line":              func(s string) string { return strings.Repeat("0", 2000) + s },
			"another trailer signature": func(s string) string {
				return strings.Replace(s, "x-amz-trailer-signature:d", "x-amz-trailer-signature:e", 1)
			},
			"no signatures": func(s string) string {
				at := strings.Index(s, ";")
				if at < 0 {
					return ""
				}
				return s[:at] + s[at+81:]
			},
		} {
			body := tamper(example.body)
			if body == example.body {
				continue // what it replaces is not part of this kind of body
			}
			got, err := io.ReadAll(c.Decode(key, strings.NewReader(body)))
			if failure := (*Error)(nil); !errors.As(err, &failure) {
				t.Errorf("%s, %s: %d bytes, %v", name, what, len(got), err)
			}
			if name != unsigned && strings.Trim(string(got), "a") != "" {
				t.Errorf("%s, %s: gave away what is not signed", name, what)
			}
		}
		broken := errors.New("broken pipe")
		_, err := io.ReadAll(c.Decode(key, io.MultiReader(strings.NewReader(example.body[:100]), iotest.ErrReader(broken))))
		if !errors.Is(err, broken) {
			t.Errorf("%s: failure to read: %v", name, err)
		}
	}
}

func TestDecodeOfOtherBodies(t *testing.T) {
	body := strings.NewReader("as it is")
	if got := new(Claim).Decode(Key{}, body); got != io.Reader(body) {
		t.Errorf("Decode returns a %T", got)
	}
}

func TestChecksums(t *testing.T) {
	for trailer, want := range map[string]string{ // of "123456789", as the catalogues of such sums list them
		"x-amz-checksum-crc32":     "cbf43926",
		"x-amz-checksum-crc32c":    "e3069283",
		"x-amz-checksum-crc64nvme": "ae8b14860a799888",
		"x-amz-checksum-sha1":      "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
		"x-amz-checksum-sha256":    "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
	} {
		sum := newChecksum(trailer)
		sum.Write([]byte("123456789"))
		if got := hex.EncodeToString(sum.Sum(nil)); got != want {
			t.Errorf("%s: %s, want %s", trailer, got, want)
		}
	}
	if newChecksum("x-amz-checksum-md5") != nil {
		t.Error("an unknown checksum has an implementation")
	}
}
