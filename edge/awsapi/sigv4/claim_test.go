package sigv4

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

const (
	emptySignature = "0000000000000000000000000000000000000000000000000000000000000000"
	goodHeader     = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=" + emptySignature
	goodQuery      = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Flambda%2Faws4_request" +
		"&X-Amz-Date=20150830T123600Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=" + emptySignature
)

func TestParse(t *testing.T) {
	h := func(pairs ...string) http.Header {
		header := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			header.Add(pairs[i], pairs[i+1])
		}
		return header
	}
	const date = "20150830T123600Z"
	swap := func(old, new string) string { return strings.Replace(goodHeader, old, new, 1) }
	swapQuery := func(old, new string) string { return strings.Replace(goodQuery, old, new, 1) }
	for name, test := range map[string]struct {
		header http.Header
		query  string
		code   string // empty: accepted
		says   string // part of the message
	}{
		"header form":                {header: h("Authorization", goodHeader, "X-Amz-Date", date)},
		"spaces for commas":          {header: h("Authorization", strings.ReplaceAll(goodHeader, ",", ""), "X-Amz-Date", date)},
		"no spaces":                  {header: h("Authorization", strings.ReplaceAll(goodHeader, ", ", ","), "X-Amz-Date", date)},
		"Date for X-Amz-Date":        {header: h("Authorization", swap("host;x-amz-date", "date;host"), "Date", "Sun, 30 Aug 2015 12:36:00 GMT")},
		"Date in basic format":       {header: h("Authorization", swap("host;x-amz-date", "date;host"), "Date", date)},
		"hashed":                     {header: h("Authorization", swap("host;x", "host;x-amz-content-sha256;x"), "X-Amz-Date", date, "X-Amz-Content-Sha256", EmptyPayload)},
		"header of tracing unsigned": {header: h("Authorization", goodHeader, "X-Amz-Date", date, "X-Amzn-Trace-Id", "Root=1")},
		"query form":                 {query: goodQuery},
		"query form among others":    {query: "a=b&" + goodQuery + "&Marker=X-Amz-Date"},

		"nothing":                    {code: CodeMissing, says: "Missing Authentication Token"},
		"two headers":                {header: h("Authorization", goodHeader, "Authorization", goodHeader, "X-Amz-Date", date), code: CodeIncomplete, says: "Only one"},
		"both forms":                 {header: h("Authorization", goodHeader, "X-Amz-Date", date), query: goodQuery, code: CodeIncomplete, says: "Only one"},
		"empty":                      {header: h("Authorization", ""), code: CodeIncomplete, says: "algorithm"},
		"version 2":                  {header: h("Authorization", "AWS AKIDEXAMPLE:xyz="), code: CodeIncomplete, says: "algorithm"},
		"version 4A":                 {header: h("Authorization", swap("HMAC", "ECDSA-P256"), "X-Amz-Date", date), code: CodeIncomplete, says: "algorithm"},
		"Basic":                      {header: h("Authorization", "Basic eDp5"), code: CodeIncomplete, says: "algorithm"},
		"nothing after algorithm":    {header: h("Authorization", "AWS4-HMAC-SHA256"), code: CodeIncomplete, says: "requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either"},
		"no date":                    {header: h("Authorization", goodHeader), code: CodeIncomplete, says: "requires existence of either a 'X-Amz-Date' or a 'Date' header"},
		"two dates":                  {header: h("Authorization", goodHeader, "X-Amz-Date", date, "X-Amz-Date", date), code: CodeIncomplete, says: "basic format"},
		"bad date":                   {header: h("Authorization", goodHeader, "X-Amz-Date", "2015-08-30"), code: CodeIncomplete, says: "basic format"},
		"bad Date":                   {header: h("Authorization", goodHeader, "Date", "yesterday"), code: CodeIncomplete, says: "yesterday"},
		"Date unsigned":              {header: h("Authorization", swap("host;x-amz-date", "host"), "Date", "Sun, 30 Aug 2015 12:36:00 GMT"), code: CodeInvalid, says: "'Date' must be"},
		"no equal sign":              {header: h("Authorization", swap("Signature=", "Signature"), "X-Amz-Date", date), code: CodeIncomplete, says: "missing equal-sign"},
		"a parameter twice":          {header: h("Authorization", goodHeader+", Signature=00", "X-Amz-Date", date), code: CodeIncomplete, says: "twice"},
		"an unknown parameter":       {header: h("Authorization", goodHeader+", Region=x", "X-Amz-Date", date), code: CodeIncomplete, says: "Region"},
		"short credential":           {header: h("Authorization", swap("/lambda", ""), "X-Amz-Date", date), code: CodeIncomplete, says: "5 slash-delimited"},
		"empty region":               {header: h("Authorization", swap("us-east-1", ""), "X-Amz-Date", date), code: CodeIncomplete, says: "5 slash-delimited"},
		"other terminator":           {header: h("Authorization", swap("aws4_request", "aws5_request"), "X-Amz-Date", date), code: CodeInvalid, says: "valid terminator"},
		"other date in scope":        {header: h("Authorization", swap("20150830", "20150831"), "X-Amz-Date", date), code: CodeInvalid, says: "'20150831' != '20150830', from '20150830T123600Z'"},
		"short signature":            {header: h("Authorization", strings.TrimSuffix(goodHeader, "00"), "X-Amz-Date", date), code: CodeInvalid, says: "does not match"},
		"signature in upper case":    {header: h("Authorization", strings.TrimSuffix(goodHeader, "00")+"AA", "X-Amz-Date", date), code: CodeInvalid, says: "does not match"},
		"signature not hexadecimal":  {header: h("Authorization", strings.TrimSuffix(goodHeader, "00")+"zz", "X-Amz-Date", date), code: CodeInvalid, says: "does not match"},
		"headers out of order":       {header: h("Authorization", swap("host;x-amz-date", "x-amz-date;host"), "X-Amz-Date", date), code: CodeIncomplete, says: "in order"},
		"a header twice":             {header: h("Authorization", swap("host;", "host;host;"), "X-Amz-Date", date), code: CodeIncomplete, says: "in order"},
		"headers in upper case":      {header: h("Authorization", swap("host;", "Host;"), "X-Amz-Date", date), code: CodeIncomplete, says: "lower case"},
		"an empty header name":       {header: h("Authorization", swap("host;", ";host;"), "X-Amz-Date", date), code: CodeIncomplete, says: "list of names"},
		"too many headers":           {header: h("Authorization", swap("host;", strings.Repeat("a;", 101)), "X-Amz-Date", date), code: CodeIncomplete, says: "at most 100"},
		"too long":                   {header: h("Authorization", swap("us-east-1", strings.Repeat("r", 9000)), "X-Amz-Date", date), code: CodeIncomplete, says: "at most 8192"},
		"Host unsigned":              {header: h("Authorization", swap("host;", ""), "X-Amz-Date", date), code: CodeInvalid, says: "'Host'"},
		"X-Amz-Date unsigned":        {header: h("Authorization", swap(";x-amz-date", ""), "X-Amz-Date", date), code: CodeInvalid, says: "'x-amz-date'"},
		"token unsigned":             {header: h("Authorization", goodHeader, "X-Amz-Date", date, "X-Amz-Security-Token", "t"), code: CodeInvalid, says: "'x-amz-security-token'"},
		"X-Amz-Log-Type unsigned":    {header: h("Authorization", goodHeader, "X-Amz-Date", date, "X-Amz-Log-Type", "Tail"), code: CodeInvalid, says: "'x-amz-log-type'"},
		"hash of an unknown kind":    {header: h("Authorization", swap("host;x", "host;x-amz-content-sha256;x"), "X-Amz-Date", date, "X-Amz-Content-Sha256", "MD5"), code: CodeIncomplete, says: "MD5"},
		"chunked without length":     {header: h("Authorization", swap("host;x", "host;x-amz-content-sha256;x"), "X-Amz-Date", date, "X-Amz-Content-Sha256", streamingSigned), code: CodeIncomplete, says: "Decoded-Content-Length"},
		"chunked, checksum unknown":  {header: h("Authorization", swap("x-amz-date", "x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-trailer"), "X-Amz-Date", date, "X-Amz-Content-Sha256", streamingSignedTrailer, "X-Amz-Decoded-Content-Length", "5", "X-Amz-Trailer", "x-amz-checksum-md5"), code: CodeIncomplete, says: "x-amz-checksum-md5"},
		"query: other algorithm":     {query: swapQuery("HMAC", "ECDSA"), code: CodeIncomplete, says: "algorithm"},
		"query: no credential":       {query: swapQuery("X-Amz-Credential=", "x="), code: CodeIncomplete, says: "must include 'X-Amz-Credential'"},
		"query: a parameter twice":   {query: goodQuery + "&X-Amz-Expires=60", code: CodeIncomplete, says: "twice"},
		"query: algorithm twice":     {query: goodQuery + "&X-Amz-Algorithm=AWS4-HMAC-SHA256", code: CodeIncomplete, says: "twice"},
		"query: bad escape":          {query: swapQuery("%2F", "%G2"), code: CodeIncomplete, says: "escape"},
		"query: bad date":            {query: swapQuery("T1236", "1236"), code: CodeIncomplete, says: "basic format"},
		"query: expires never":       {query: swapQuery("Expires=60", "Expires=0"), code: CodeIncomplete, says: "604800"},
		"query: expires in the past": {query: swapQuery("Expires=60", "Expires=-1"), code: CodeIncomplete, says: "604800"},
		"query: expires after weeks": {query: swapQuery("Expires=60", "Expires=604801"), code: CodeIncomplete, says: "604800"},
		"query: expires unclear":     {query: swapQuery("Expires=60", "Expires=1h"), code: CodeIncomplete, says: "1h"},
		"query: Host unsigned":       {query: swapQuery("SignedHeaders=host", "SignedHeaders=date"), code: CodeInvalid, says: "'Host'"},
		"query: X-Amz- header added": {query: goodQuery, header: h("X-Amz-Invocation-Type", "Event"), code: CodeInvalid, says: "'x-amz-invocation-type'"},
		"query: too long":            {query: swapQuery("us-east-1", strings.Repeat("r", 9000)), code: CodeIncomplete, says: "at most 8192"},
		"query: chunked":             {query: goodQuery + "&X-Amz-Content-Sha256=" + streamingSigned, code: CodeIncomplete, says: "aws-chunked"},
	} {
		t.Run(name, func(t *testing.T) {
			header := test.header
			if header == nil {
				header = http.Header{}
			}
			c, err := Parse(&Request{Method: "GET", Path: "/", RawQuery: test.query, Host: "h", Header: header})
			if test.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				if c.KeyID != "AKIDEXAMPLE" || c.Scope != (Scope{"20150830", "us-east-1", "lambda"}) || c.Presigned != (test.query != "") {
					t.Errorf("claim %+v", c)
				}
				if at := time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC); !c.At.Equal(at) {
					t.Errorf("signed at %s", c.At)
				}
				return
			}
			var failure *Error
			if !errors.As(err, &failure) || failure.Code != test.code || !strings.Contains(failure.Message, test.says) || failure.Reason == 0 {
				t.Errorf("got %#v, want %s: ...%s...", err, test.code, test.says)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	at := time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)
	header := &Claim{At: at, Scope: Scope{Service: "lambda"}}
	query := &Claim{At: at, Scope: Scope{Service: "lambda"}, Presigned: true, Expires: 20 * time.Minute}
	for name, test := range map[string]struct {
		claim    *Claim
		now      time.Time
		services []string
		reason   Reason // 0: accepted
		says     string
	}{
		"now":                     {header, at, []string{"lambda"}, 0, ""},
		"one of several services": {header, at, []string{"apigateway", "lambda"}, 0, ""},
		"5 minutes old":           {header, at.Add(MaxSkew), []string{"lambda"}, 0, ""},
		"within the second":       {header, at.Add(MaxSkew + 900*time.Millisecond), []string{"lambda"}, 0, ""},
		"older": {header, at.Add(MaxSkew + time.Second), []string{"lambda"}, Skewed,
			"Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)"},
		"5 minutes ahead": {header, at.Add(-MaxSkew), []string{"lambda"}, 0, ""},
		"further ahead": {header, at.Add(-MaxSkew - time.Second), []string{"lambda"}, Skewed,
			"Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T123059Z + 5 min.)"},
		"another service":         {header, at, []string{"apigateway"}, Misscoped, "Credential should be scoped to correct service: 'apigateway'."},
		"no service":              {header, at, nil, Misscoped, "correct service"},
		"presigned, soon":         {query, at.Add(10 * time.Minute), []string{"lambda"}, 0, ""},
		"presigned, last moment":  {query, at.Add(20 * time.Minute), []string{"lambda"}, 0, ""},
		"presigned, expired":      {query, at.Add(20*time.Minute + time.Second), []string{"lambda"}, Skewed, "Signature expired: 20150830T125600Z is now earlier than 20150830T125601Z"},
		"presigned in the future": {query, at.Add(-MaxSkew - time.Second), []string{"lambda"}, Skewed, "Signature not yet current"},
	} {
		err := test.claim.Check(test.now.In(time.FixedZone("", 3600)), test.services...)
		if test.reason == 0 {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if !test.now.Before(test.claim.ValidUntil().Add(time.Nanosecond)) {
				t.Errorf("%s: accepted after ValidUntil", name)
			}
			continue
		}
		var failure *Error
		if !errors.As(err, &failure) || failure.Code != CodeInvalid || failure.Reason != test.reason || !strings.Contains(failure.Message, test.says) {
			t.Errorf("%s: got %v, want ...%s...", name, err, test.says)
		}
	}
}
