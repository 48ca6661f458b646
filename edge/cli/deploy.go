package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const deployLong = `Create the function NAME, or replace its code, and change the settings that flags
give; settings that no flag gives stay as they are. The node loads the code,
proves that it starts, and only then sends requests to it: a deploy that fails
changes nothing, and one that succeeds loses no request.

PATH is a Python file (.py), a JavaScript file (.js, .mjs, .cjs), a Wasm module, a
folder, a zip, or - for a module or a zip on standard input. The function reads
the files of a folder or zip at /var/task. From a folder, .git, .venv,
__pycache__, node_modules/.cache and .DS_Store are left out.

The runtime is found from the code: a bootstrap.wasm, or exactly one other .wasm,
at the top is a Wasm module to run; else the file with the handler says it. The
handler is FILE.FUNCTION. Where --handler does not name it, it stays what it was
as long as the code has that file, and is looked for otherwise: a function called
lambda_handler or handler in the only file, in lambda_function.py, app.py,
main.py, handler.py, package.json's main or index.mjs, index.js, index.cjs at the
top, or else in the other files there.

Python and JavaScript outside of the handler runs once, now, and each instance is
restored from the snapshot of memory that is taken then. With --isolation fresh each
request gets an instance of its own, for 0.2 ms or less; otherwise what one leaves in
memory is there in the next. "ledge get NAME" shows which it is.

--env, --layer, --allow-host, --allow-invoke, --allow-publish and --allow-bucket
replace all that the function had; with '' they remove all. --env NAME takes the value
from the environment.

--route, --cron and --watch add to what runs the function; what another deploy added
stays, until ledge route rm, ledge schedule rm or ledge feed rm, and goes with the
function. Deploying the same again adds nothing twice. The prefixes of a bucket that
is watched are replaced.`

const deployExample = `  ledge deploy hello app.py --route 'GET /hello'
  ledge deploy hello hello.wasm --route 'GET /hello'
  ledge deploy orders ./orders --handler src/orders.create --allow-invoke stock --allow-publish 'orders/#'
  ledge deploy report app.py --layer libs:1 --cron '0 6 * * *'
  ledge deploy bill app.py --allow-bucket orders:read --allow-bucket bills --watch orders/new/
  ledge deploy shop shop.zip --memory 256 --timeout 10s --env STAGE=test --env API_KEY
  ledge deploy resize resize.wasm --route 'POST /resize' --payload raw --content-type image/png
  curl -s https://example.com/hello.wasm | ledge deploy hello -`

// deployFlags are the flags of deploy as they were written.
type deployFlags struct {
	runtime, handler, description string
	memory, timeout               string
	env, routes                   []string
	allowHosts                    []string
	allowInvoke, allowPublish     []string
	allowBuckets                  []string
	crons, watches                []string
	watchStart                    string
	layers                        []string
	isolation                     string
	concurrency                   int
	payload, contentType          string
	noSnapshot, publish           bool
}

func (f *deployFlags) register(flags *pflag.FlagSet) {
	textFlag(flags, &f.runtime, "runtime", "RUNTIME", "python3.13, javascript, wasi, extism, or AWS Lambda's name for one (default: found from the code)")
	textFlag(flags, &f.handler, "handler", "NAME", "what to call: FILE.FUNCTION, or an export of an extism module (default: found from the code)")
	textFlag(flags, &f.description, "description", "TEXT", "what the function is for")
	textFlag(flags, &f.memory, "memory", "SIZE", "memory of one instance: 128, 128MB or 1GiB (default 128)")
	textFlag(flags, &f.timeout, "timeout", "DURATION", "wall time of one invocation, at most 15m (default 3s)")
	listFlag(flags, &f.env, "env", "NAME=VALUE", "environment variable")
	textFlag(flags, &f.isolation, "isolation", "MODE", "reuse: a warm instance serves many invocations; fresh: each gets a new one (default reuse)")
	flags.IntVar(&f.concurrency, "concurrency", 0, "at most `N` invocations at the same time; more are throttled (default: the node's)")
	listFlag(flags, &f.allowHosts, "allow-host", "HOST", "host that the function may call: example.com, *.example.com, https://example.com:8443; in private networks by address: 192.168.1.20:80, 192.168.0.0/16:*")
	listFlag(flags, &f.allowInvoke, "allow-invoke", "NAME", "function that the function may invoke, or '*' for all")
	listFlag(flags, &f.allowPublish, "allow-publish", "FILTER", "MQTT topics that the function may publish to: state/hall or state/#")
	listFlag(flags, &f.allowBuckets, "allow-bucket", "NAME[:read]", "shared bucket of data that the function may use, or only read")
	listFlag(flags, &f.crons, "cron", "EXPRESSION", "when to run the function: '*/5 * * * *', 'rate(5 minutes)', 'CRON_TZ=Europe/Berlin 0 6 * * *'")
	listFlag(flags, &f.watches, "watch", "BUCKET[/PREFIX]", "bucket of data whose changes run the function, or those of keys that begin with PREFIX")
	textFlag(flags, &f.watchStart, "watch-start", "WHERE", "where a new watch starts: oldest change that is kept, or newest (default newest)")
	listFlag(flags, &f.layers, "layer", "NAME:VERSION", "layer whose files the function reads at /opt, at most 5; of equal files the last layer's wins")
	listFlag(flags, &f.routes, "route", "ROUTE", "HTTP route to the function: 'GET /hello', 'ANY /api/{proxy+}', '$default'")
	textFlag(flags, &f.payload, "payload", "FORMAT", "of the routes: 2.0 (API Gateway events) or raw (body in, body out) (default 2.0)")
	textFlag(flags, &f.contentType, "content-type", "TYPE", "of what raw routes answer")
	flags.BoolVar(&f.noSnapshot, "no-snapshot", false, "run a module's initialisation for every instance instead of restoring it")
	flags.BoolVar(&f.publish, "publish", false, "publish the result as a numbered version")
}

func (a *app) deployCommand() *cobra.Command {
	var f deployFlags
	cmd := &cobra.Command{
		Use:     "deploy NAME PATH",
		Short:   "Deploy a function, new or changed",
		Long:    deployLong,
		Example: deployExample,
		Args:    arguments("NAME", "PATH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := parseName(args[0])
			if err != nil {
				return err
			}
			request, err := f.request(cmd.Flags().Changed, a.env.Getenv)
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.deploy(cmd.Context(), c, name, args[1], request)
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return a.functionNames(cmd)
			}
			return nil, cobra.ShellCompDirectiveDefault
		},
	}
	f.register(cmd.Flags())
	choices(cmd, "runtime", "python3.13", "javascript", "wasi", "extism")
	choices(cmd, "isolation", "reuse", "fresh")
	choices(cmd, "payload", "2.0", "raw")
	choices(cmd, "watch-start", "oldest", "newest")
	completions(cmd, "layer", a.layerVersions)
	return cmd
}

// request turns the flags that were given into the members of a request.
func (f *deployFlags) request(given func(flag string) bool, getenv func(string) string) (deployRequest, error) {
	var r deployRequest
	if given("runtime") {
		r.Runtime = &f.runtime
	}
	if given("handler") {
		r.Handler = &f.handler
		if f.runtime == "wasi" && f.handler != "" {
			return r, usagef("--handler: a wasi function has none, it starts at its main")
		}
	}
	if given("description") {
		r.Description = &f.description
	}
	if given("no-snapshot") {
		r.NoSnapshot = &f.noSnapshot
	}
	r.Publish = f.publish
	if given("memory") {
		size, err := parseSize(f.memory)
		if err != nil {
			return r, usagef("--memory: %s", err)
		}
		if size < mebibyte || size%mebibyte != 0 {
			return r, usagef("--memory: %q is not a whole number of MB", f.memory)
		}
		size /= mebibyte
		r.MemorySize = &size
	}
	if given("timeout") {
		timeout, err := parseDuration(f.timeout)
		if err != nil {
			return r, usagef("--timeout: %s", err)
		}
		millis := timeout.Milliseconds()
		if millis < 1 {
			return r, usagef("--timeout: %q is less than 1ms", f.timeout)
		}
		r.TimeoutMillis = &millis
	}
	if given("concurrency") {
		if f.concurrency < 1 {
			return r, usagef("--concurrency: %d is less than 1", f.concurrency)
		}
		r.Concurrency = &f.concurrency
	}
	if given("isolation") {
		if err := oneOf("isolation", f.isolation, "reuse", "fresh"); err != nil {
			return r, err
		}
		r.Isolation = &f.isolation
	}
	if given("env") {
		variables, err := readEnvFlags(f.env, getenv)
		if err != nil {
			return r, err
		}
		r.Environment = &environment{variables}
	}
	if given("allow-host") {
		r.AllowHosts = withoutEmpty(f.allowHosts)
	}
	if given("allow-invoke") {
		r.AllowInvoke = withoutEmpty(f.allowInvoke)
	}
	if given("allow-publish") {
		r.AllowPublish = withoutEmpty(f.allowPublish)
	}
	if given("allow-bucket") {
		r.AllowBuckets = withoutEmpty(f.allowBuckets)
	}
	if err := f.triggers(&r); err != nil {
		return r, err
	}
	if given("layer") {
		var err error
		if r.Layers, err = layerArns(f.layers); err != nil {
			return r, err
		}
	}
	if err := checkPayload(f.payload, f.contentType); err != nil {
		return r, err
	}
	if len(f.routes) == 0 && (f.payload != "" || f.contentType != "") {
		return r, usagef("--payload and --content-type are for a --route, and none is given")
	}
	for _, text := range f.routes {
		r.Routes = append(r.Routes, route{Route: text, Payload: f.payload, ContentType: f.contentType})
	}
	return r, nil
}

// triggers reads what runs the function besides routes.
func (f *deployFlags) triggers(r *deployRequest) error {
	for _, expression := range f.crons {
		if expression == "" {
			return usagef("--cron: the expression is empty; write '*/5 * * * *' or 'rate(5 minutes)'")
		}
		r.Crons = append(r.Crons, expression)
	}
	if err := oneOf("watch-start", f.watchStart, "oldest", "newest"); err != nil {
		return err
	}
	if f.watchStart != "" && len(f.watches) == 0 {
		return usagef("--watch-start is for a --watch, and none is given")
	}
	for _, text := range f.watches {
		bucket, prefix, _ := strings.Cut(text, "/")
		if err := checkBucket(bucket); err != nil {
			return usagef("--watch: %s", err)
		}
		if !isText([]byte(prefix)) {
			return usagef("--watch: the prefix %q is not text", prefix)
		}
		r.Watches = append(r.Watches, watch{bucket, prefix, f.watchStart})
	}
	return nil
}

// withoutEmpty returns the values of a flag that are not empty. It is never nil
// inside, which would mean "keep": one empty value removes what there was.
func withoutEmpty(values []string) *[]string {
	kept := []string{}
	for _, value := range values {
		if value != "" {
			kept = append(kept, value)
		}
	}
	return &kept
}

// readEnvFlags reads NAME=VALUE, and NAME alone from the environment.
func readEnvFlags(flags []string, getenv func(string) string) (map[string]string, error) {
	variables := make(map[string]string, len(flags))
	for _, text := range flags {
		if text == "" {
			continue // clears what there was
		}
		name, value, found := strings.Cut(text, "=")
		if name == "" {
			return nil, usagef("--env: %q has no name", text)
		}
		if _, again := variables[name]; again {
			return nil, usagef("--env: %s is given twice", name)
		}
		if !found {
			if value = getenv(name); value == "" {
				return nil, usagef("--env: %s is not set in the environment; write %s=VALUE", name, name)
			}
		}
		variables[name] = value
	}
	return variables, nil
}

func checkPayload(payload, contentType string) error {
	if err := oneOf("payload", payload, "2.0", "raw"); err != nil {
		return err
	}
	if contentType != "" && payload != "raw" {
		return usagef("--content-type is for --payload raw; other functions set it in their reply")
	}
	return nil
}

func (a *app) deploy(ctx context.Context, c *client, name, path string, r deployRequest) error {
	show := a.progress()
	defer show.done()
	show.stage("reading %s", path)
	code, err := a.readCode(ctx, path)
	if err != nil {
		return err
	}
	r.Code.ZipFile = code.blob
	var has program
	if r.Runtime == nil || r.Handler == nil {
		now, err := c.present(ctx, name)
		if err != nil {
			return err
		}
		if has, err = code.program(r.Runtime, r.Handler, now); err != nil {
			return err
		}
		r.Runtime, r.Handler = cmp.Or(r.Runtime, has.runtime), cmp.Or(r.Handler, has.handler)
	}
	req, err := jsonRequest(http.MethodPut, pathDeploy+url.PathEscape(name), r)
	if err != nil {
		return err
	}
	label := filepath.Base(code.name)
	show.stage("uploading %s, %s", label, formatSize(int64(len(code.blob))))
	doing := "compiling"
	if has.language != "" {
		doing = "starting"
	}
	req.sent = func() { show.stage("%s %s", doing, label) }

	var reply deployReply
	raw, err := c.call(ctx, req, 0, &reply)
	show.done()
	if err != nil {
		return deployFault(err, name, len(r.Routes) > 0)
	}
	if a.json {
		return a.writeJSON(json.RawMessage(raw))
	}
	var address string
	if len(reply.Routes) > 0 {
		address = c.routesURL(ctx)
	}
	return a.write(describeDeploy(reply, name, address, has.found))
}

// deployFault adds what only a deploy can know.
func deployFault(err error, name string, routed bool) error {
	if errors.Is(err, context.Canceled) {
		return &Error{
			Code:    codeCancelled,
			Message: "cancelled",
			Hint:    "nothing is changed, unless the node had finished already: ledge get " + name,
			Err:     err,
		}
	}
	if e, ok := isCode(err, awsConflict); ok && routed {
		told := e.explain()
		told.Hint = "see who has the route: ledge route ls; to move it, deploy without it, then: ledge route add --replace 'ROUTE' " + name
		return told
	}
	return err
}
