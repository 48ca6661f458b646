package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ledge/edge/awsapi/sigv4"
)

// signed compares a function that is invoked through the Lambda API, by signed
// requests, with the same function at its route. wrk sends one signature again
// and again, as long as it is valid: the node verifies each.
func (b *bench) signed(data, public, control string) error {
	module := filepath.Join(b.functions, "echo.wasm")
	if err := b.command(data, "deploy", "warm", module, "--route", "POST /warm", "--payload", "raw"); err != nil {
		return err
	}
	credentials, err := readCredentials(filepath.Join(data, "root-key"))
	if err != nil {
		return err
	}
	const body = "0123456789abcdef"
	plain := filepath.Join(b.dir, "post.lua")
	if err := os.WriteFile(plain, fmt.Appendf(nil, "wrk.method = 'POST'\nwrk.body = %q\n", body), 0o600); err != nil {
		return err
	}
	url := "http://" + control + "/2015-03-31/functions/warm/invocations"
	var api, route, ratios []float64
	for range b.rounds {
		script, err := b.signature(url, body, credentials)
		if err != nil {
			return err
		}
		invoked, err := b.wrk(url, script, 32, b.duration)
		if err != nil {
			return err
		}
		routed, err := b.wrk("http://"+public+"/warm", plain, 32, b.duration)
		if err != nil {
			return err
		}
		api, route, ratios = append(api, invoked.rate), append(route, routed.rate), append(ratios, invoked.rate/routed.rate)
	}
	b.row("| Invoke through the Lambda API, each request's signature checked | %.0f/s | %.0f/s the same function at its route | %.2f | |",
		median(api), median(route), median(ratios))
	rate, err := b.signatureChecks(url, body, credentials)
	if err != nil {
		return err
	}
	b.row("| signatures checked by one core | %.0f/s | | | |", rate)
	return nil
}

// signatureChecks returns how many signatures one core checks in a second, as
// the node does it: from the request to the verdict.
func (b *bench) signatureChecks(url, body string, c sigv4.Credentials) (float64, error) {
	r, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	now, hash := time.Now(), sigv4.HashPayload([]byte(body))
	if err := sigv4.Sign(r, hash, c, "us-east-1", "lambda", now); err != nil {
		return 0, err
	}
	request, keys := sigv4.FromHTTP(r), new(sigv4.Cache)
	n, began := 0, time.Now()
	for ; time.Since(began) < b.duration; n++ {
		claim, err := sigv4.Parse(request)
		if err == nil {
			err = claim.Check(now, "lambda")
		}
		if err == nil {
			err = claim.Verify(request, keys.Key(c.Secret, claim.Scope), hash)
		}
		if err != nil {
			return 0, err
		}
	}
	return float64(n) / time.Since(began).Seconds(), nil
}

// signature writes a script that sends body with a signature of now.
func (b *bench) signature(url, body string, c sigv4.Credentials) (string, error) {
	r, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	if err := sigv4.Sign(r, sigv4.HashPayload([]byte(body)), c, "us-east-1", "lambda", time.Now()); err != nil {
		return "", err
	}
	var script strings.Builder
	fmt.Fprintf(&script, "wrk.method = 'POST'\nwrk.body = %q\n", body)
	for name, values := range r.Header {
		fmt.Fprintf(&script, "wrk.headers[%q] = %q\n", name, values[0])
	}
	path := filepath.Join(b.dir, "signed.lua")
	return path, os.WriteFile(path, []byte(script.String()), 0o600)
}

// readCredentials reads the root key that the node made.
func readCredentials(path string) (c sigv4.Credentials, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return c, err
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, "=")
		switch strings.TrimSpace(name) {
		case "aws_access_key_id":
			c.KeyID = strings.TrimSpace(value)
		case "aws_secret_access_key":
			c.Secret = strings.TrimSpace(value)
		}
	}
	if c.KeyID == "" || c.Secret == "" {
		return c, fmt.Errorf("%s holds no key", path)
	}
	return c, nil
}
