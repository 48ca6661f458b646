package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	algorithm = "AWS4-HMAC-SHA256"
	timestamp = "20060102T150405Z" // of X-Amz-Date and the string to sign

	headerDate    = "X-Amz-Date"
	headerToken   = "X-Amz-Security-Token"
	headerPayload = "X-Amz-Content-Sha256"

	paramAlgorithm     = "X-Amz-Algorithm"
	paramCredential    = "X-Amz-Credential"
	paramDate          = "X-Amz-Date"
	paramExpires       = "X-Amz-Expires"
	paramSignedHeaders = "X-Amz-SignedHeaders"
	paramSignature     = "X-Amz-Signature"
	paramToken         = "X-Amz-Security-Token"
	paramPayload       = "X-Amz-Content-Sha256"
)

// Bounds of what Parse looks at. Real signatures have some ten headers and
// stay below one kilobyte.
const (
	maxAuthorization = 8 << 10 // bytes
	maxSignedHeaders = 100
	// MaxExpires is how long a presigned request may be valid.
	MaxExpires = 7 * 24 * time.Hour
)

// Claim is what a request says of its signature. Nothing of it is true before
// Verify has returned nil. Its strings are cut from the request.
type Claim struct {
	KeyID     string // access key ID
	Scope     Scope
	At        time.Time     // when it was signed, by the signer's clock; whole seconds
	Expires   time.Duration // of a presigned request: how long it is valid from At on
	Presigned bool          // the signature is in the query
	Token     string        // X-Amz-Security-Token, of temporary credentials
	Payload   Payload       // how the body is covered
	Signature [sha256.Size]byte

	signed        []string // names of headers, in lower case and in order
	signedText    string   // the same, as it was sent
	payload       string   // X-Amz-Content-Sha256
	decodedLength int64    // of an aws-chunked body; -1 where it is not told
	trailer       string   // the one trailer that an aws-chunked body announces
}

// presigned reports whether a query has the parameter X-Amz-Algorithm.
func presigned(query string) bool {
	const start = paramAlgorithm + "="
	return strings.HasPrefix(query, start) || strings.Contains(query, "&"+start)
}

// Parse reads the signature of r without verifying anything that needs a secret
// or the body. Its errors are *Error.
func Parse(r *Request) (*Claim, error) {
	authorization := r.Header.Values("Authorization")
	inQuery := presigned(r.RawQuery)
	if !inQuery && len(authorization) == 0 {
		return nil, &Error{Code: CodeMissing, Message: "Missing Authentication Token", Reason: Missing}
	}
	if len(authorization) > 1 || inQuery && len(authorization) > 0 {
		return nil, incomplete("Only one way to sign is allowed: one Authorization header, or the X-Amz- parameters of the query string.")
	}
	c := &Claim{Presigned: inQuery, decodedLength: -1}
	var err error
	if inQuery {
		err = c.parseQuery(r)
	} else {
		err = c.parseHeader(r, authorization[0])
	}
	if err != nil {
		return nil, err
	}
	if err := c.checkSigned(r); err != nil {
		return nil, err
	}
	if err := c.parsePayload(r); err != nil {
		return nil, err
	}
	return c, nil
}

// parseHeader reads
//
//	AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=...
//
// where AWS takes spaces in place of the commas, too.
func (c *Claim) parseHeader(r *Request, value string) error {
	if len(value) > maxAuthorization {
		return incomplete("The Authorization header has %d bytes; at most %d are read.", len(value), maxAuthorization)
	}
	name, rest, _ := strings.Cut(strings.TrimSpace(value), " ")
	if name != algorithm {
		return unsupported(name)
	}
	var credential, signedHeaders, signature string
	for rest != "" {
		var part string
		if at := strings.IndexAny(rest, ", \t"); at >= 0 {
			part, rest = rest[:at], rest[at+1:]
		} else {
			part, rest = rest, ""
		}
		if part == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return incomplete("'%s' not a valid key=value pair (missing equal-sign) in Authorization header.", part)
		}
		var into *string
		switch name {
		case "Credential":
			into = &credential
		case "SignedHeaders":
			into = &signedHeaders
		case "Signature":
			into = &signature
		default:
			return incomplete("Authorization header has '%s', which is no parameter of %s.", name, algorithm)
		}
		if *into != "" {
			return incomplete("Authorization header has '%s' twice.", name)
		}
		*into = value
	}
	var missing []string
	for _, p := range [...]struct{ name, value string }{{"Credential", credential}, {"Signature", signature}, {"SignedHeaders", signedHeaders}} {
		if p.value == "" {
			missing = append(missing, "Authorization header requires '"+p.name+"' parameter.")
		}
	}
	date, dateErr := headerTime(r.Header)
	if dateErr != nil {
		missing = append(missing, dateErr.Message)
	}
	if len(missing) > 0 {
		return incomplete("%s", strings.Join(missing, " "))
	}
	c.At = date
	c.Token = r.Header.Get(headerToken)
	c.payload = r.Header.Get(headerPayload)
	return c.fill(credential, signedHeaders, signature)
}

// headerTime returns when the request was signed: X-Amz-Date, or else Date.
func headerTime(h http.Header) (time.Time, *Error) {
	if values := h.Values(headerDate); len(values) > 0 {
		if t, err := time.Parse(timestamp, values[0]); err == nil && len(values) == 1 {
			return t, nil
		}
		return time.Time{}, incomplete("Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601", strings.Join(values, ","))
	}
	values := h.Values("Date")
	if len(values) != 1 {
		return time.Time{}, incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	if t, err := time.Parse(timestamp, values[0]); err == nil {
		return t, nil
	}
	t, err := http.ParseTime(values[0])
	if err != nil {
		return time.Time{}, incomplete("The Date header '%s' is neither an HTTP date nor in ISO-8601 'basic format'.", values[0])
	}
	return t.UTC(), nil
}

// parseQuery reads the parameters of a presigned request.
func (c *Claim) parseQuery(r *Request) error {
	found := map[string]string{}
	for pair := range strings.SplitSeq(r.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		switch name {
		case paramAlgorithm, paramCredential, paramDate, paramExpires, paramSignedHeaders, paramSignature, paramToken, paramPayload:
		default:
			continue
		}
		if _, twice := found[name]; twice {
			return incomplete("The query string has '%s' twice.", name)
		}
		if len(value) > maxAuthorization {
			return incomplete("The query string's '%s' has %d bytes; at most %d are read.", name, len(value), maxAuthorization)
		}
		text, err := url.QueryUnescape(value)
		if err != nil {
			return incomplete("The query string's '%s' has an escape that is none.", name)
		}
		found[name] = text
	}
	if found[paramAlgorithm] != algorithm {
		return unsupported(found[paramAlgorithm])
	}
	for _, name := range []string{paramCredential, paramDate, paramExpires, paramSignedHeaders, paramSignature} {
		if found[name] == "" {
			return incomplete("AWS query-string parameters must include '%s'. Re-examine the query-string parameters.", name)
		}
	}
	at, err := time.Parse(timestamp, found[paramDate])
	if err != nil {
		return incomplete("X-Amz-Date must be in ISO-8601 'basic format'. Got '%s'.", found[paramDate])
	}
	seconds, err := strconv.ParseInt(found[paramExpires], 10, 64)
	if err != nil || seconds < 1 || seconds > int64(MaxExpires/time.Second) {
		return incomplete("X-Amz-Expires must be a number of seconds from 1 to %d (a week). Got '%s'.", MaxExpires/time.Second, found[paramExpires])
	}
	c.At, c.Expires = at, time.Duration(seconds)*time.Second
	c.Token = found[paramToken]
	if c.Token == "" { // some services' clients add it after signing
		c.Token = r.Header.Get(headerToken)
	}
	c.payload = found[paramPayload]
	if c.payload == "" {
		c.payload = r.Header.Get(headerPayload)
	}
	return c.fill(found[paramCredential], found[paramSignedHeaders], found[paramSignature])
}

func unsupported(name string) *Error {
	return incomplete("Unsupported AWS 'algorithm': '%s'. Only %s is supported.", name, algorithm)
}

// fill takes apart the three parts that both forms have.
func (c *Claim) fill(credential, signedHeaders, signature string) error {
	parts := strings.Split(credential, "/")
	if len(parts) != 5 || slices.Contains(parts, "") {
		return incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%s'.", credential)
	}
	if parts[4] != terminator {
		return invalid(Misscoped, "Credential should be scoped with a valid terminator: '%s', not '%s'.", terminator, parts[4])
	}
	c.KeyID, c.Scope = parts[0], Scope{Date: parts[1], Region: parts[2], Service: parts[3]}
	if on := c.At.Format("20060102"); c.Scope.Date != on {
		return invalid(Misscoped, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'.",
			c.Scope.Date, on, c.At.Format(timestamp))
	}
	if len(signature) != hex.EncodedLen(sha256.Size) || strings.ToLower(signature) != signature {
		return mismatch()
	}
	if _, err := hex.Decode(c.Signature[:], []byte(signature)); err != nil {
		return mismatch()
	}
	c.signedText, c.signed = signedHeaders, strings.Split(signedHeaders, ";")
	if len(c.signed) > maxSignedHeaders {
		return incomplete("SignedHeaders names %d headers; at most %d are read.", len(c.signed), maxSignedHeaders)
	}
	for i, name := range c.signed {
		if name == "" || strings.ToLower(name) != name || i > 0 && c.signed[i-1] >= name {
			return incomplete("SignedHeaders '%s' is not a list of names in lower case and in order, separated by semicolons.", signedHeaders)
		}
	}
	return nil
}

// checkSigned makes sure that the signature covers what it must.
func (c *Claim) checkSigned(r *Request) error {
	covers := func(name string) bool {
		_, found := slices.BinarySearch(c.signed, name)
		return found
	}
	if !covers("host") {
		return invalid(Malformed, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	for name := range r.Header {
		if isAmazon(name) && !covers(strings.ToLower(name)) {
			return invalid(Malformed, "'%s' is a header of the request and must be a 'SignedHeader' in the AWS Authorization.", strings.ToLower(name))
		}
	}
	if !c.Presigned && r.Header.Get(headerDate) == "" && !covers("date") {
		return invalid(Malformed, "'Date' must be a 'SignedHeader' in the AWS Authorization where there is no X-Amz-Date.")
	}
	return nil
}
