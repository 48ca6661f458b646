package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// benchEvent is an API Gateway event as the gateway makes it.
const benchEvent = `{"version":"2.0","routeKey":"POST /js","rawPath":"/js","rawQueryString":"","headers":{"accept":"*/*","content-type":"application/json","host":"127.0.0.1:8080","user-agent":"curl/7.88.1","x-forwarded-for":"127.0.0.1","x-forwarded-port":"8080","x-forwarded-proto":"http"},"requestContext":{"accountId":"000000000000","apiId":"ledge","domainName":"127.0.0.1:8080","domainPrefix":"127","http":{"method":"POST","path":"/js","protocol":"HTTP/1.1","sourceIp":"127.0.0.1","userAgent":"curl/7.88.1"},"requestId":"171d233e-5681-468c-ba67-2901fb1345ac","routeKey":"POST /js","stage":"$default","time":"23/Nov/2026:14:09:47 +0000","timeEpoch":1795443026356},"body":"{\"sensor\":\"hall\",\"celsius\":31.5,\"tags\":[\"indoor\",\"north\",\"calibrated\"]}","isBase64Encoded":false}`

// BenchmarkLanguage runs the handlers of the appliance's benchmark, without HTTP.
func BenchmarkLanguage(b *testing.B) {
	r := open(b, testConfig(b))
	for _, c := range []struct{ runtime, file, handler string }{
		{RuntimePython, "app.py", "app.handler"},
		{RuntimeJavaScript, "index.mjs", "index.handler"},
	} {
		source, err := os.ReadFile(filepath.Join("..", "testdata", "bench", "handlers", c.file))
		if err != nil {
			b.Fatal(err)
		}
		for _, isolation := range []Isolation{IsolationReuse, IsolationFresh} {
			f := languageFunction(b, c.runtime, c.handler, map[string]string{c.file: string(source)})
			f.Isolation = isolation
			if _, err := r.Deploy(context.Background(), f, nil); err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("%s/%s", c.runtime, isolation), func(b *testing.B) {
				var res Result
				inv := Invocation{Function: f.Name, Payload: []byte(benchEvent)}
				b.ReportAllocs()
				for b.Loop() {
					if err := r.Invoke(context.Background(), &inv, &res); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkLanguageStart starts an interpreter without a snapshot.
func BenchmarkLanguageStart(b *testing.B) {
	r := open(b, testConfig(b))
	for _, name := range []string{RuntimePython, RuntimeJavaScript} {
		l := r.languages[name]
		s, err := r.ready(context.Background(), l)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := r.runBase(context.Background(), l, s, func(*instance, *Deployment) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
